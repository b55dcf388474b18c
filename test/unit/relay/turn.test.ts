import { expect, it } from 'vitest';
import { createTurn } from '../../../relay/src/turn.ts';

function world() {
  const scheduled: (() => void)[] = [];
  const said: string[] = [];
  const turn = createTurn((call) => void scheduled.push(call));
  const member = (name: string, then: () => void = () => undefined) => ({
    endTurn(): void {
      said.push(name);
      then();
    },
  });
  const end = (): void => scheduled.shift()?.();
  return { turn, member, said, scheduled, end };
}

it('calls all of a turn back together, in order, and who came meanwhile in the next one', () => {
  const { turn, member, said, scheduled, end } = world();
  const late = member('late');
  turn.add(member('a', () => turn.add(late)));
  turn.add(member('b'));
  expect(scheduled).toHaveLength(1);
  end();
  expect(said).toEqual(['a', 'b']);
  end();
  expect(said).toEqual(['a', 'b', 'late']);
  expect(scheduled).toEqual([]);
});

it('one that throws keeps nobody from its turn', () => {
  const { turn, member, said, end } = world();
  const fail = (): void => {
    throw new Error('of one');
  };
  for (const one of [member('a'), member('b', fail), member('c'), member('d', fail), member('e')]) turn.add(one);
  expect(end).toThrow('of one');
  expect(end).toThrow('of one');
  end();
  expect(said).toEqual(['a', 'b', 'c', 'd', 'e']);
});
