import type { Client } from '@waxwing/client-core';

/** What the app takes from outside: the system's in the app, a world's in its tests. */
export type Timers = { after(delayMs: number, call: () => void): () => void };

/** A small app: asked `remind me in N minutes: TEXT`, it says TEXT after so many. Runs until the client closes. */
export async function runReminder(client: Client, timers: Timers): Promise<void> {
  for await (const message of client.inbox({ consumer: 'reminder' })) {
    const [, minutes, text] = /^remind me in (\d+) minutes: (.+)$/.exec(message.text ?? '') ?? [];
    if (minutes === undefined || text === undefined) continue;
    const conversation = await client.direct(message.from);
    timers.after(Number(minutes) * 60_000, () => {
      void conversation.send({ text }, { id: `reminder of ${message.id}` });
    });
  }
}
