import type { AccountId, MessageId } from '@waxwing/protocol';
import type { RelayLink, SubmitAnswer } from '../transport/relay-link.ts';
import type { Contacts } from './contacts.ts';
import type { SyncContext } from './context.ts';
import type { Bundles, Framing } from './framing.ts';

/**
 * Sends a frame without a place to every device of an account. Undefined where it cannot be encrypted now; nothing of it
 * is kept, so what must arrive is sent again by who sends it.
 */
export async function submitDirect(
  { work }: SyncContext,
  parts: { readonly link: RelayLink; readonly contacts: Contacts; readonly framing: Framing },
  account: AccountId,
  content: {
    readonly messageId: MessageId;
    readonly kind: number;
    readonly body: Uint8Array;
    readonly sentAtMs: number;
  },
): Promise<SubmitAnswer | undefined> {
  const { link, contacts, framing } = parts;
  const make = (bundles: Bundles) =>
    work.run(async (overlay) => {
      const made = await framing.body(overlay, [account], framing.direct(content), bundles, false);
      return () => made;
    });
  // A device that this one never wrote to needs a bundle.
  const body = (await make(new Map())) ?? (await make((await contacts.fetchBundles(account)).bundles));
  return body && link.submitDirect({ messageId: content.messageId, attempt: 0, body });
}
