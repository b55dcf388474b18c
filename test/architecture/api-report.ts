import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Extractor, ExtractorConfig, ExtractorLogLevel } from '@microsoft/api-extractor';

/** The packages whose public surface is checked in, as `docs/api/<folder>.api.md`. */
export const reported = ['client-core', 'protocol'] as const;

/** What the types of a built package in this folder offer, as text: every exported name with its whole declaration. */
export function apiReport(packageFolder: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'waxwing-api-'));
  mkdirSync(join(folder, 'temp'));
  const none = { logLevel: ExtractorLogLevel.None, addToApiReportFile: false };
  try {
    const config = ExtractorConfig.prepare({
      configObject: {
        projectFolder: packageFolder,
        mainEntryPointFilePath: '<projectFolder>/dist/index.d.ts',
        newlineKind: 'lf',
        compiler: {
          overrideTsconfig: {
            // No conditions: what a user of the package gets, and not the sources.
            compilerOptions: {
              target: 'es2023',
              lib: ['esnext', 'dom'],
              module: 'nodenext',
              types: [],
              skipLibCheck: true,
            },
            files: ['dist/index.d.ts'],
          },
        },
        apiReport: {
          enabled: true,
          reportFileName: 'package.api.md',
          reportFolder: folder,
          reportTempFolder: join(folder, 'temp'),
        },
        docModel: { enabled: false },
        dtsRollup: { enabled: false },
        tsdocMetadata: { enabled: false },
        messages: {
          compilerMessageReporting: { default: none },
          extractorMessageReporting: {
            default: none,
            'ae-forgotten-export': { logLevel: ExtractorLogLevel.None, addToApiReportFile: true },
          },
          tsdocMessageReporting: { default: none },
        },
      },
      configObjectFullPath: join(packageFolder, 'api-extractor.json'),
      packageJsonFullPath: join(packageFolder, 'package.json'),
    });
    Extractor.invoke(config, {
      localBuild: true,
      messageCallback: (message) => {
        message.handled = true;
      },
    });
    return readFileSync(join(folder, 'package.api.md'), 'utf8');
  } finally {
    rmSync(folder, { recursive: true });
  }
}
