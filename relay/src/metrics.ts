import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { CloseName, ErrorCode } from '@waxwing/protocol';

/** Why an upgrade was refused. */
export type Refusal = 'path' | 'draining' | 'full' | 'protocol' | 'handshake' | 'address_limit';

/** What the gateway counts. No label names an account, a device, a handle or an address. */
export type Metrics = {
  opened(): void;
  closed(name: CloseName | 'peer'): void;
  authenticated(): void;
  unauthenticated(): void;
  refused(reason: Refusal): void;
  submitted(kind: 'sequenced' | 'direct', result: ErrorCode | 'accepted' | 'duplicate', seconds: number): void;
  delivered(entries: number, bytes: number): void;
  drained(seconds: number): void;
  storeFault(): void;
};

export function createMetrics(registry: Registry): Metrics {
  const registers = [registry];
  const open = new Gauge({ name: 'waxwing_relay_connections', help: 'Open connections.', registers });
  const online = new Gauge({ name: 'waxwing_relay_devices', help: 'Authenticated connections.', registers });
  const closes = new Counter({
    name: 'waxwing_relay_closes_total',
    help: 'Ended connections by close code; peer: ended by the device or the network.',
    labelNames: ['code'],
    registers,
  });
  const refusals = new Counter({
    name: 'waxwing_relay_refused_upgrades_total',
    help: 'Upgrades that were refused, by reason.',
    labelNames: ['reason'],
    registers,
  });
  const submits = new Counter({
    name: 'waxwing_relay_submits_total',
    help: 'Submits by kind and result code.',
    labelNames: ['kind', 'result'],
    registers,
  });
  type SubmitResult = Parameters<Metrics['submitted']>[1];
  /** Labels are looked up once: every submit counts. */
  const submitsBy = {
    sequenced: new Map<SubmitResult, Counter.Internal>(),
    direct: new Map<SubmitResult, Counter.Internal>(),
  };
  const submitSeconds = new Histogram({
    name: 'waxwing_relay_submit_seconds',
    help: 'From a submit to its answer.',
    buckets: [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5],
    registers,
  });
  const entries = new Counter({
    name: 'waxwing_relay_delivered_entries_total',
    help: 'Envelopes that were sent to devices.',
    registers,
  });
  const bytes = new Counter({
    name: 'waxwing_relay_delivered_bytes_total',
    help: 'Bytes of envelopes that were sent to devices.',
    registers,
  });
  const drainSeconds = new Histogram({
    name: 'waxwing_relay_drain_seconds',
    help: 'From authentication to Drained.',
    buckets: [0.005, 0.02, 0.1, 0.5, 2, 10, 60, 300],
    registers,
  });
  const faults = new Counter({
    name: 'waxwing_relay_store_faults_total',
    help: 'Calls of the store that failed.',
    registers,
  });
  return {
    opened: () => open.inc(),
    closed(name) {
      open.dec();
      closes.inc({ code: name });
    },
    authenticated: () => online.inc(),
    unauthenticated: () => online.dec(),
    refused: (reason) => refusals.inc({ reason }),
    submitted(kind, result, seconds) {
      const known = submitsBy[kind].get(result);
      const counter = known ?? submits.labels({ kind, result });
      if (!known) submitsBy[kind].set(result, counter);
      counter.inc();
      submitSeconds.observe(Math.max(0, seconds));
    },
    delivered(count, length) {
      entries.inc(count);
      bytes.inc(length);
    },
    drained: (seconds) => drainSeconds.observe(Math.max(0, seconds)),
    storeFault: () => faults.inc(),
  };
}

/** Measures how late this process's event loop runs, until the answer is called. */
export function measureEventLoop(registry: Registry): () => void {
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  new Gauge({
    name: 'waxwing_relay_event_loop_delay_seconds',
    help: 'Event-loop delay since the last scrape.',
    labelNames: ['quantile'],
    registers: [registry],
    collect() {
      for (const quantile of [50, 99, 100]) {
        this.set({ quantile: `${quantile / 100}` }, delay.count > 0 ? delay.percentile(quantile) / 1e9 : 0);
      }
      delay.reset();
    },
  });
  return () => delay.disable();
}
