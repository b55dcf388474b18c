import type { Case } from './contract.ts';
import { directCases } from './direct.contract.ts';
import { directoryCases } from './directory.contract.ts';
import { eraCases } from './era.contract.ts';
import { mailboxCases } from './mailbox.contract.ts';
import { prekeyCases } from './prekey.contract.ts';
import { submitCases } from './submit.contract.ts';
import { ticketCases } from './ticket.contract.ts';

/** Every property of a storage, by the part that has it. An adapter holds all of them. */
export const suite: Readonly<Record<string, readonly Case[]>> = {
  'sequenced submits': submitCases,
  eras: eraCases,
  mailboxes: mailboxCases,
  'direct submits': directCases,
  directory: directoryCases,
  tickets: ticketCases,
  prekeys: prekeyCases,
};
