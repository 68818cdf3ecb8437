"""In whatever order things happen to a payment, nobody is charged twice or for nothing."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from bus.messages import Refused
from payment.calls import (
    AuthorizationRequested,
    CaptureRequested,
    RefundRequested,
    VoidRequested,
)
from payment.contract import PaymentCaptured, PaymentRefunded, PaymentVoided
from payment.gateway import ActionRequired, Approved, Declined, Outcome
from payment.payment import Payment, PaymentEvent, evolve
from tests.payment import decisions as rules
from tests.payment.histories import ACTION, CANCEL, pay

Intent = AuthorizationRequested | CaptureRequested | VoidRequested | RefundRequested

ANSWERS: tuple[Outcome, ...] = (
    Approved(),
    Declined(reason="card_declined"),
    ActionRequired(action=ACTION),
)


@dataclass
class Books:
    """What a gateway knows: it does each key once, and complains of what cannot be."""

    held: dict[str, str] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)

    def execute(self, intent: Intent, answer: Outcome) -> Outcome:
        """Do what the intent asks for, once; `answer` is what an authorization leads to."""
        if intent.gateway_key in self.outcomes:
            return self.outcomes[intent.gateway_key]
        outcome: Outcome = Approved()
        match intent:
            case AuthorizationRequested():
                outcome = answer
                begins = {"approved": "held", "action_required": "open", "declined": "declined"}
                self.held[intent.gateway_key] = begins[answer.type]
            case CaptureRequested():
                assert self.held[intent.authorization] == "held"
                self.held[intent.authorization] = "captured"
            case VoidRequested():
                assert self.held[intent.authorization] in ("held", "open")
                self.held[intent.authorization] = "voided"
            case RefundRequested():
                assert self.held[intent.authorization] == "captured"
                self.held[intent.authorization] = "refunded"
        self.outcomes[intent.gateway_key] = outcome
        return outcome

    def confirm(self, authorization: str) -> bool:
        """The buyer does what the bank asked for; whether it had asked."""
        asked = self.held.get(authorization) == "open"
        if asked:
            self.held[authorization] = "held"
        return asked

    def count(self, state: str) -> int:
        return list(self.held.values()).count(state)


@dataclass
class World:
    """A payment's stream, its gateway, and the answers that are on their way."""

    stream: list[PaymentEvent] = field(default_factory=list)
    state: Payment | None = None
    books: Books = field(default_factory=Books)

    def append(self, events: list[PaymentEvent]) -> None:
        for event in events:
            self.state = evolve(self.state, event)
        self.stream += events

    def intents(self) -> list[Intent]:
        return [event for event in self.stream if isinstance(event, Intent)]

    def capture(self) -> None:
        try:
            self.append(rules.capture(self.state))
        except Refused:
            return  # unknown, or not authorized yet

    def answer(self, intent: Intent, answer: Outcome) -> None:
        """The reader takes an intent to the gateway and records what it says."""
        outcome = self.books.execute(intent, answer)
        self.append(rules.record(self.state, intent.gateway_key, outcome))

    def finish(self) -> None:
        """Everything that was asked for is answered, until nothing new is asked."""
        done = 0
        while done < len(self.intents()):
            self.answer(self.intents()[done], Approved())
            done += 1

    def told(self, kind: type[PaymentEvent]) -> int:
        return sum(isinstance(event, kind) for event in self.stream)

    def check(self) -> None:
        """What holds at any time."""
        assert self.told(PaymentCaptured) <= 1
        assert self.told(PaymentVoided) + self.told(PaymentRefunded) <= 1
        keys = [intent.gateway_key for intent in self.intents()]
        assert len(keys) == len(set(keys))
        assert self.books.count("captured") + self.books.count("refunded") <= 1

    def check_the_end(self) -> None:
        """What holds once the gateway has answered everything."""
        held, captured = self.books.count("held"), self.books.count("captured")
        assert held + captured <= 1
        assert self.told(PaymentCaptured) == captured + self.books.count("refunded")
        assert self.told(PaymentRefunded) == self.books.count("refunded")
        if self.state is not None and self.state.cancelled:
            assert held + captured == 0
            assert self.told(PaymentVoided) + self.told(PaymentRefunded) == 1
            assert self.told(PaymentRefunded) == self.told(PaymentCaptured)


def steps(world: World) -> Iterator[tuple[str, int, Outcome]]:
    """All that may happen next; an intent may be answered any number of times."""
    for name, number in (("pay", 1), ("pay", 2), ("cancel", 0), ("capture", 0)):
        yield name, number, Approved()
    for number, intent in enumerate(world.intents()):
        if isinstance(intent, AuthorizationRequested):
            for answer in ANSWERS:
                yield "answer", number, answer
        else:
            yield "answer", number, Approved()


def step(world: World, name: str, number: int, answer: Outcome) -> None:
    match name:
        case "pay":
            world.append(rules.authorize(world.state, pay(number)))
        case "cancel":
            world.append(rules.cancel(world.state, CANCEL))
        case "capture":
            world.capture()
        case "answer":
            world.answer(world.intents()[number], answer)


def copy(world: World) -> World:
    books = Books(dict(world.books.held), dict(world.books.outcomes))
    return World(list(world.stream), world.state, books)


def key(world: World) -> object:
    return (
        world.state,
        tuple(world.books.held.items()),
        tuple(intent.gateway_key for intent in world.intents()),
        tuple((key, outcome.type) for key, outcome in world.books.outcomes.items()),
    )


def test_no_order_of_events_charges_twice_or_for_nothing() -> None:
    """Every state that can be reached is visited, and from each the payment comes to a good end."""
    worlds = [World()]
    seen = {key(worlds[0])}
    ended = 0
    while worlds:
        world = worlds.pop()
        end = copy(world)
        end.finish()
        end.check()
        end.check_the_end()
        ended += end.state is not None and end.state.ended
        for name, number, answer in steps(world):
            after = copy(world)
            step(after, name, number, answer)
            after.check()
            if key(after) not in seen:
                seen.add(key(after))
                worlds.append(after)
    assert len(seen) > 300
    assert ended > 100


class Payments(RuleBasedStateMachine):
    """The same with more attempts, late confirmations and longer histories."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    @rule(attempt=st.integers(1, 4))
    def pay(self, attempt: int) -> None:
        self.world.append(rules.authorize(self.world.state, pay(attempt)))

    @rule()
    def cancel(self) -> None:
        self.world.append(rules.cancel(self.world.state, CANCEL))

    @rule()
    def capture(self) -> None:
        self.world.capture()

    @rule(pick=st.randoms(use_true_random=False), answer=st.sampled_from(ANSWERS))
    def answer(self, pick: Random, answer: Outcome) -> None:
        if intents := self.world.intents():
            self.world.answer(pick.choice(intents), answer)

    @rule(attempt=st.integers(1, 4))
    def confirm(self, attempt: int) -> None:
        """The buyer acts, and the gateway tells of it."""
        authorization = f"p1:authorize:{attempt}"
        if self.world.books.confirm(authorization):
            self.world.append(rules.record_authorization(self.world.state, attempt, Approved()))

    @invariant()
    def nobody_is_charged_twice(self) -> None:
        self.world.check()
        replayed: Payment | None = None
        for event in self.world.stream:
            replayed = evolve(replayed, event)
        assert replayed == self.world.state

    def teardown(self) -> None:
        self.world.finish()
        self.world.check()
        self.world.check_the_end()


TestPayments = Payments.TestCase
TestPayments.settings = settings(max_examples=150, stateful_step_count=40)
