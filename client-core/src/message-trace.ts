import type { MessageStatus } from './message.ts';

/**
 * Why a message is not where it should be, each with the next step, in one plain sentence for a person. A closed table:
 * apps may have a text of their own for each.
 */
export const traceCauses = {
  none: 'Nothing is to be done: the message is where it should be.',
  awaiting_delivery:
    'Wait: the relay has the message, and gives it to the other side as soon as a device of it connects.',
  sending: 'Wait a moment: the message is on its way to the relay.',
  not_connected: 'Connect this device: the message goes out then.',
  offline: 'Check the network: the message goes out by itself as soon as the server answers.',
  not_admitted: 'Register this device anew: the server does not let it in any more.',
  displaced: 'End the other program that uses this device, then connect here again.',
  cloned: 'Use the newer copy of this device, or register a new one: this copy must not go on.',
  disk_full: 'Make room on the disk of this device: it goes on by itself then.',
  identity_changed:
    "Compare the safety number with the person, then accept it: the other side's key has changed, and nothing is sent under it before.",
  device_list_changed:
    "Wait: the other side's devices have changed, and the message is encrypted for the new ones as soon as their keys are here.",
  keys_unavailable:
    'Wait: the key server gives no keys of the other side that can be used; if the conversation shows an alert, ask that person.',
  relay_busy: 'Wait: the relay takes no more at the moment, and the message is sent again by itself.',
  taking_back: 'Wait: the message is being taken back, and the relay will say whether it had left.',
  taken_back: 'Nothing is to be done: the message was taken back.',
  unknown_recipient: 'Ask the person for another address: this account does not exist any more.',
  refused: 'Send the message again; if it is refused again, tell the operator of the server the code.',
  held_back: 'Wait a moment: the message is here, and shows as soon as what is before it is here or given up.',
  late: 'Nothing is to be done: the message came late, into a place where it was missing.',
  in_flight: 'Wait: the place belongs to an own message of which the relay has not said yet whether it took it.',
  expired:
    'Wait until a device of the other side is connected: the relay keeps mail for a day only, and that device is asked for it.',
  over_quota:
    'Wait until a device of the other side is connected: the mailbox of this device was full, and that device is asked for it.',
  undecryptable:
    'Wait until a device of the other side is connected: it is asked to send the message again in a way that can be read.',
  not_credible: 'Ask the person to send it again: what came was not what the sender or the relay said that it was.',
  awaiting_sender: 'Wait until a device of the other side is connected: it is asked for what did not come.',
  unlisted_device:
    'Wait: it came from a device that is not known to belong to its account, and is read as soon as that account lists it.',
  lost: 'Wait until a device of the other side is connected: the relay has lost the message, and that device is asked for it.',
  removed: 'Ask the person to send it again: no device that was asked has the message any more.',
} as const satisfies Record<string, string>;

/** Why a message is where it is. */
export type TraceCause = keyof typeof traceCauses;

/**
 * What became of a message, or of one that is missing: why it is unsent, late or unreadable, and what comes next. It holds
 * no content, and is the same after JSON.
 */
export type MessageTrace = {
  /** What was asked for. */
  readonly id: string;
  /** `missing`: of a hole. */
  readonly state: MessageStatus['state'] | 'missing';
  readonly cause: TraceCause;
  /**
   * Since when, in ISO 8601: a message to send since it was written, a sent or received one since the relay took it, a
   * missing one since that was noticed.
   */
  readonly since: string;
  /** One sentence for a person, of the table of causes. */
  readonly nextStep: string;
  /** How many tries came to nothing: refusals of a message to send, questions for a missing one. */
  readonly tries: number;
  /** When the next try is made, in ISO 8601, where that is known. */
  readonly nextTryAt?: string;
  /** Names of what stood in the way, for those who look into it: error codes, connection states, reasons of holes. */
  readonly codes: readonly string[];
};
