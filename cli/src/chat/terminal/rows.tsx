import { Box, Text, type TextProps } from 'ink';
import type { ReactElement } from 'react';
import type { Row, Tone } from './row.ts';

type Look = Pick<TextProps, 'bold' | 'color' | 'dimColor' | 'inverse'>;

/** What a tone looks like: with colours, and where there are none. */
const looks: Readonly<Record<Tone, { readonly coloured: Look; readonly plain: Look }>> = {
  plain: { coloured: {}, plain: {} },
  bold: { coloured: { bold: true }, plain: { bold: true } },
  dim: { coloured: { dimColor: true }, plain: { dimColor: true } },
  own: { coloured: { color: 'cyan' }, plain: { bold: true } },
  other: { coloured: { color: 'green', bold: true }, plain: {} },
  read: { coloured: { color: 'cyan', bold: true }, plain: {} },
  notice: { coloured: { color: 'yellow' }, plain: {} },
  new: { coloured: { color: 'yellow', bold: true }, plain: { bold: true } },
  bad: { coloured: { color: 'red' }, plain: { bold: true } },
  chosen: { coloured: { bold: true }, plain: { bold: true } },
  heading: { coloured: { dimColor: true }, plain: { dimColor: true } },
};

/** Rows as they are: nothing is folded here, and a row that is too long for the terminal after all is cut. */
export function Rows(o: {
  readonly rows: readonly Row[];
  readonly columns: number;
  readonly height: number;
  readonly colour: boolean;
  /** Where rows that do not fill the height stand. */
  readonly at?: 'top' | 'bottom';
}): ReactElement {
  const justify = o.at === 'bottom' ? 'flex-end' : 'flex-start';
  return (
    <Box flexDirection="column" flexShrink={0} width={o.columns} height={o.height} justifyContent={justify}>
      {o.rows.slice(0, o.height).map((row, index) => (
        <Text key={index} wrap="truncate">
          {row.length === 0
            ? ' '
            : row.map((part, at) => (
                <Text key={at} {...looks[part.tone][o.colour ? 'coloured' : 'plain']}>
                  {part.text}
                </Text>
              ))}
        </Text>
      ))}
    </Box>
  );
}
