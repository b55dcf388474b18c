/** Of the wall clock, and of this process's processor time. */
export type Took = { readonly wallMs: number; readonly cpuMs: number };

export async function timed(run: () => Promise<unknown>): Promise<Took> {
  const cpu = process.cpuUsage();
  const began = performance.now();
  await run();
  const wallMs = performance.now() - began;
  const { user, system } = process.cpuUsage(cpu);
  return { wallMs, cpuMs: (user + system) / 1_000 };
}
