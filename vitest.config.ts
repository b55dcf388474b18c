import { defineConfig } from 'vitest/config';
import { defaultServerConditions } from 'vite';

export default defineConfig({
  ssr: { resolve: { conditions: ['waxwing-source', ...defaultServerConditions] } },
  test: {
    include: ['test/**/*.test.ts', 'examples/**/*.test.ts'],
    pool: 'forks',
    globalSetup: 'test/support/temporary-root.ts',
    testTimeout: 20_000,
    hookTimeout: 20_000,
    // As many as the smallest machine that this is built on has cores: nearly every test waits, for a disk or a process.
    maxWorkers: 2,
    maxConcurrency: 2,
    coverage: {
      provider: 'v8',
      include: ['protocol/src/**', 'client-core/src/sync/**'],
      exclude: ['protocol/src/gen/**'],
      // Each on its own: neither covers for the other.
      thresholds: { 'protocol/src/**': { branches: 95 }, 'client-core/src/sync/**': { branches: 95 } },
    },
  },
});
