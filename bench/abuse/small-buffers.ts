import { spawnSync } from 'node:child_process';

const SCRIPT =
  'ip link set lo up && sysctl -qw net.ipv4.tcp_rmem="4096 16384 16384" net.ipv4.tcp_wmem="4096 16384 16384" && exec "$@"';

/**
 * Runs this row again in a network of its own whose sockets have buffers of 16 KiB, as a slow line leaves them: loopback's
 * hold megabytes, and a reader that stops is then seen only by its missing heartbeats. What it printed, and its exit code.
 */
export function inSmallBuffers(row: string): { readonly printed: string; readonly code: number } {
  const node = [process.execPath, ...process.execArgv, process.argv[1] ?? '', row];
  const { stdout, stderr, status } = spawnSync(
    'unshare',
    ['--map-root-user', '--net', 'sh', '-c', SCRIPT, 'sh', ...node],
    { env: { ...process.env, WAXWING_ABUSE_INSIDE: '1' }, encoding: 'utf8', maxBuffer: 2 ** 24 },
  );
  if (status === null || stdout === '') throw new Error(`no network of its own: ${stderr}`);
  return { printed: stdout, code: status };
}

/** Whether this process is the one inside. */
export function isInSmallBuffers(): boolean {
  return process.env.WAXWING_ABUSE_INSIDE === '1';
}
