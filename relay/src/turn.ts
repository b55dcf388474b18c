/** Calls back at the end of the event-loop turn. */
export type EndOfTurn = (call: () => void) => void;

/** Whoever has something to do when a turn of the event loop ends. */
export type TurnMember = { endTurn(): void };

/** All who have something to do at the end of this turn, called back together, in the order in which they came. */
export type Turn = { add(member: TurnMember): void };

export function createTurn(endOfTurn: EndOfTurn): Turn {
  let members: TurnMember[] = [];
  const end = (): void => {
    const ended = members;
    members = [];
    let at = 0;
    try {
      for (; at < ended.length; at += 1) ended[at]?.endTurn();
    } finally {
      // One that throws keeps nobody from its turn.
      for (const member of ended.slice(at + 1)) add(member);
    }
  };
  const add = (member: TurnMember): void => {
    members.push(member);
    if (members.length === 1) endOfTurn(end);
  };
  return { add };
}
