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
    for (const member of ended) member.endTurn();
  };
  return {
    add(member) {
      if (members.length === 0) endOfTurn(end);
      members.push(member);
    },
  };
}
