import { strikes, type FaultReport, type Size, type Strike } from './report.ts';
import { pause } from './world.ts';

const STEP_MS = 25 * 60 * 60 * 1_000;

/**
 * The clock of one process steps, devices connect again under it and talk, and it steps back. What had been said before is
 * through by then: mail that waits while the relay's clock jumps over its lifetime goes, with a reason. Seen: the process
 * told both steps.
 */
function step(whom: 'relay' | 'client', byMs: number): Strike {
  return async (world) => {
    await world.settle();
    const person = world.people[world.below(2)] ?? world.people[0];
    const one = whom === 'relay' ? world.relay.process : person.process;
    const stepped = (): number => one.lines.filter((line) => line.includes('"stepped"')).length;
    const before = stepped();
    const move = async (ms: number): Promise<void> => {
      const count = stepped() + 1;
      one.write(whom === 'relay' ? String(ms) : JSON.stringify({ do: 'step', byMs: ms }));
      while (stepped() < count) await pause(10);
      if (world.below(2) === 0) for (const { proxy } of world.people) proxy.reset();
    };
    await move(byMs);
    world.talk();
    await world.settle();
    await move(-byMs);
    world.talk();
    return stepped() === before + 2;
  };
}

/** F13: clocks step by 25 h, forwards and backwards. */
export function clockSteps(size: Size): Promise<FaultReport> {
  return strikes({
    ...size,
    fault: 'F13',
    how: 'the clock given to relay or client steps by 25 h and back',
    relay: { pace: 1 },
    kinds: {
      relayForwards: step('relay', STEP_MS),
      relayBackwards: step('relay', -STEP_MS),
      clientForwards: step('client', STEP_MS),
      clientBackwards: step('client', -STEP_MS),
    },
  });
}
