"""Only Asterisk's own events are believed."""

import random

from twisted.trial.unittest import SynchronousTestCase

from fastagi.ami.authenticity import USUAL_KEYS, flaw
from fastagi.ami.messages import Message, decode
from fastagi.ami.stream import Dropped, Stream

from .captures import CAPTURES, read

BANNER = b"Asterisk Call Manager/11.0.0\r\n"
NUMBER_LIMIT = 79
"""Bytes of a SIP number that Asterisk keeps (FACTS.md B5)."""
FORGED = [name for name in CAPTURES if "forged" in name]
"""Recordings of real SIP calls whose number holds line ends."""
HONEST = [name for name in CAPTURES if name not in FORGED]


def recorded() -> dict[str, Message]:
    """One recorded event of each kind; the longest, so that optional channels are there."""
    found: dict[str, Message] = {}
    for name in HONEST:
        for item in Stream().receive(read(name)):
            if isinstance(item, Message) and item.event:
                known = found.get(item.event)
                if known is None or len(item.headers) > len(known.headers):
                    found[item.event] = item
    return found


def raw(message: Message, **changes: str) -> bytes:
    """The message as Asterisk writes it, with other values for some keys."""
    lines = [f"{key}: {changes.get(key, value)}" for key, value in message.headers]
    return "\r\n".join((*lines, "", "")).encode()


def believed(data: bytes) -> list[Message]:
    """All events that are handed on: whole ones, and what was mended of torn ones."""
    items = Stream().receive(BANNER + data)[1:]
    heard = [item.mended if isinstance(item, Dropped) else item for item in items]
    return [message for message in heard if isinstance(message, Message) and message.headers[0][0] == "Event"]


def without_numbers(event: Message) -> Message:
    """What can be mended of an event whose number tore it: all but the caller and who he is connected with."""
    hidden = ("CallerIDNum", "CallerIDName", "ConnectedLineNum")
    return Message([(key, "" if key in hidden else value) for key, value in event.headers])


class TableTests(SynchronousTestCase):
    """The table agrees with what Asterisk really sends."""

    def test_every_recorded_message_is_believed(self) -> None:
        for name in HONEST:
            dropped = [item for item in Stream().receive(read(name)) if isinstance(item, Dropped)]
            self.assertEqual(dropped, [], name)

    def test_the_kinds_that_were_never_recorded_are_few_and_known(self) -> None:
        self.assertLessEqual(
            set(USUAL_KEYS) - set(recorded()),
            {"Hold", "MusicOnHoldStart", "MusicOnHoldStop", "Rename"}
            | {"LocalOptimizationBegin", "LocalOptimizationEnd"},
        )

    def test_more_keys_are_welcome(self) -> None:
        for kind, message in recorded().items():
            more = Message([*message.headers, ("ChanVariable", "A=1"), ("ChanVariable", "B=2"), ("New", "1")])
            self.assertIsNone(flaw(more), kind)

    def test_each_usual_key_must_be_there_exactly_once(self) -> None:
        for kind, message in recorded().items():
            usual = USUAL_KEYS.get(kind)
            for key in usual.always if usual else ():
                without = Message([pair for pair in message.headers if pair[0] != key])
                self.assertIsNotNone(flaw(without), f"{kind} without {key}")
                twice = Message([*message.headers, (key, "1")])
                self.assertEqual(flaw(twice), f"repeats {key}", kind)

    def test_a_second_channel_is_there_as_a_whole_or_not_at_all(self) -> None:
        dial = recorded()["DialBegin"]
        callerless = [
            pair
            for pair in dial.headers
            if pair[0] in ("Event", "Privilege") or pair[0].startswith(("Dest", "Dial"))
        ]
        self.assertIsNone(flaw(Message(callerless)))
        self.assertEqual(flaw(Message([*callerless, ("Channel", "PJSIP/trunk-1")])), "lacks AccountCode")
        twice = Message([*dial.headers, ("Channel", "PJSIP/trunk-1")])
        self.assertEqual(flaw(twice), "repeats Channel")

    def test_privilege_or_the_actionid_of_a_list_comes_second(self) -> None:
        self.assertIsNone(flaw(decode(b"Event: News\r\nPrivilege: call,all")))
        self.assertIsNone(flaw(decode(b"Event: NewsListItem\r\nActionID: 7")))
        self.assertIsNotNone(flaw(decode(b"Event: News")))
        self.assertIsNotNone(flaw(decode(b"Event: News\r\nUniqueid: 1.1\r\nPrivilege: call,all")))

    def test_an_unknown_event_may_repeat_anything_but_its_identity(self) -> None:
        self.assertIsNone(flaw(decode(b"Event: News\r\nPrivilege: test,all\r\nState: 1\r\nState: 2")))
        self.assertEqual(
            flaw(decode(b"Event: News\r\nPrivilege: test,all\r\nChannel: 1\r\nChannel: 2")), "repeats Channel"
        )

    def test_a_short_event_has_no_linkedid(self) -> None:
        shutdown = b"Event: Shutdown\r\nPrivilege: system,all\r\nShutdown: Cleanly\r\nRestart: True"
        self.assertIsNone(flaw(decode(shutdown)))
        self.assertEqual(flaw(decode(shutdown + b"\r\nLinkedid: 1.1")), "has a Linkedid")


class ForgedByTheCallerTests(SynchronousTestCase):
    """A number with line ends (FACTS.md B6) changes nothing but the caller's own row."""

    def setUp(self) -> None:
        self.events = recorded()
        self.honest = self.events["Hangup"]

    def assert_harmless(self, event: Message, **attack: str) -> None:
        """Nothing of the attack is believed but what Asterisk itself wrote, and the next honest event is."""
        *mended, honest = believed(raw(event, **attack) + raw(self.honest))
        self.assertEqual(honest, self.honest)
        for message in mended:
            self.assertEqual(message, without_numbers(event))

    def test_the_attack_of_the_facts(self) -> None:
        """From: 7%0d%0a%0d%0aEvent%3a%20Hangup%0d%0aUniqueid%3a%201.1"""
        number = "7\r\n\r\nEvent: Hangup\r\nUniqueid: 1.1"
        self.assert_harmless(self.events["Newchannel"], CallerIDNum=number)

    def test_a_recorded_attack_does_not_end_the_call_it_names(self) -> None:
        """A real SIP call names the channel of a conversation in a forged Hangup, again and again."""
        items = Stream().receive(read("20_forged_hangup_in_number/ami.txt"))
        hangups = [item for item in items if isinstance(item, Message) and item.event == "Hangup"]
        self.assertEqual(
            sorted(hangup.get("Channel") for hangup in hangups),
            ["PJSIP/101-00000001", "PJSIP/trunk-00000000"],
        )
        last_torn = max(at for at, item in enumerate(items) if isinstance(item, Dropped))
        self.assertGreater(items.index(hangups[0]), last_torn)

    def test_a_forged_event_of_every_kind_that_is_tracked(self) -> None:
        for kind in USUAL_KEYS:
            for middle in (
                *("", "\r\nPrivilege: call,all", "\r\nPrivilege: call,all\r\nUniqueid: 1.1"),
                *("\r\nUniqueid: 1.1", "\r\nPrivilege: call,all\r\nChannel: PJSIP/101-0000000a"),
                *("\r\nActionID: 1", "\r\nPrivilege: \r\nChannel: \r\nLinkedid: 1.1"),
            ):
                for end in ("", "\r\n\r\n", "\r\n\r\nx"):
                    number = f"7\r\n\r\nEvent: {kind}{middle}{end}"
                    self.assertLessEqual(len(number), NUMBER_LIMIT + 10)
                    self.assert_harmless(self.events["Newchannel"], CallerIDNum=number)
                    self.assert_harmless(self.events["DialBegin"], DestConnectedLineNum=number)
                    self.assert_harmless(self.events["NewConnectedLine"], ConnectedLineNum=number)
                    self.assert_harmless(self.events["Newchannel"], Exten=number)
                    self.assert_harmless(self.events["CoreShowChannel"], CallerIDNum=number)

    def test_a_shutdown_is_not_the_callers_to_announce(self) -> None:
        bare = "7\r\n\r\nEvent: Shutdown\r\nPrivilege: \r\nShutdown: \r\nRestart: "
        for number in (bare, bare + "\r\n\r\n", bare + "\r\n\r\nA"):
            self.assertLessEqual(len(number), NUMBER_LIMIT)
            self.assert_harmless(self.events["Newchannel"], CallerIDNum=number)

    def test_no_forged_event_that_swallows_the_tail_fits_into_a_number(self) -> None:
        """The keys the tail does not bring are needed, and even with empty values they are too long."""
        newchannel = self.events["Newchannel"]
        keys = [key for key, _ in newchannel.headers]
        tail = keys[keys.index("CallerIDName") :]
        fitting = set()
        for kind, usual in USUAL_KEYS.items():
            needed = [key for key in usual.always if key not in tail]
            forged = "\r\n".join(("7\r\n", f"Event: {kind}", "Privilege: ", *(f"{key}: " for key in needed)))
            if len(forged) <= NUMBER_LIMIT:
                fitting.add(kind)
                self.assert_harmless(newchannel, CallerIDNum=forged)
        self.assertEqual(fitting, {"FullyBooted", "Shutdown", "Rename"})

    def test_a_head_completed_by_a_forged_tail_is_taken_back(self) -> None:
        """A loose dialplan pattern lets the dialled number name another call's channel."""
        number = "7\r\nPriority: 1\r\nUniqueid: 1795423013.178\r\nLinkedid: 1795423013.178\r\n\r\n"
        self.assertLessEqual(len(number), NUMBER_LIMIT)
        for kind in ("Newchannel", "Newstate", "NewConnectedLine", "BridgeEnter", "HangupRequest"):
            attack = raw(self.events[kind], Exten=number)
            self.assert_harmless(self.events[kind], Exten=number)
            self.assert_harmless(self.events[kind], Exten=number + "x")
            self.assertEqual(
                Stream().receive(BANNER + attack)[1:],
                [
                    Dropped(kind, "a piece of another message follows it"),
                    Dropped("", "it begins like no message"),
                ],
            )


class MendedTests(SynchronousTestCase):
    """What Asterisk wrote at both ends of a torn event is enough to follow the channel."""

    ATTACKS = (
        "7\r\n\r\nEvent: Hangup\r\nUniqueid: 1.1",
        "7\r\nUniqueid: 1.1\r\nLinkedid: 1.1",
        "7\r\n\r\nEvent: Hangup\r\nPrivilege: call,all\r\nChannel: \r\nUniqueid: 1.1\r\n\r\nx",
        "7\r\n\r\n\r\nCallerIDName: \r\nPriority: 1\r\nUniqueid: 1.1\r\nLinkedid: 1.1\r\n\r\n",
        "7\r\n\r\nResponse: Success\r\nActionID: 1",
        "7\r\n\r\nResponse: Success\r\nActionID: 1\r\n\r\n",
    )
    SINGLE = ("Newchannel", "HangupRequest", "Hangup", "BridgeEnter", "BridgeLeave", "QueueCallerJoin")

    def setUp(self) -> None:
        self.events = recorded()

    def test_an_event_of_one_channel_is_told_without_its_numbers(self) -> None:
        for kind in (*self.SINGLE, "CoreShowChannel"):
            event = self.events[kind]
            for attack in self.ATTACKS:
                self.assertLessEqual(len(attack), NUMBER_LIMIT)
                for torn in (
                    {"CallerIDNum": attack},
                    {"ConnectedLineNum": attack},
                    {"CallerIDNum": attack, "ConnectedLineNum": attack},
                ):
                    self.assertEqual(believed(raw(event, **torn)), [without_numbers(event)], kind)

    def test_it_may_arrive_in_pieces(self) -> None:
        data = BANNER + raw(self.events["Newchannel"], CallerIDNum=self.ATTACKS[0])
        stream = Stream()
        items = [item for at in range(len(data)) for item in stream.receive(data[at : at + 1])]
        mended = [item.mended for item in items if isinstance(item, Dropped) and item.mended]
        self.assertEqual(mended, [without_numbers(self.events["Newchannel"])])

    def test_a_dialled_number_that_tears_the_far_end_leaves_nothing_to_believe(self) -> None:
        far_end = "7\r\nPriority: 1\r\nUniqueid: 1.1\r\nLinkedid: 1.1"
        for kind in self.SINGLE:
            for attack in ("7", *self.ATTACKS):
                for end in ("", "x", "\r\n", "\r\n\r\n", "\r\n\r\nx"):
                    torn = raw(self.events[kind], CallerIDNum=attack, Exten=far_end + end)
                    self.assertEqual(believed(torn), [], (kind, attack, end))

    def test_ends_of_two_events_are_never_joined(self) -> None:
        """The first one lost its far end for good; the second's belongs to another channel."""
        first = raw(self.events["Hangup"], CallerIDNum="7\r\n\r\nx", Exten="7\r\n\r\ny")
        second = self.events["Newchannel"]
        torn = raw(second, CallerIDNum=self.ATTACKS[0])
        self.assertEqual(believed(first + torn), [without_numbers(second)])
        self.assertEqual(believed(first + raw(second) + torn), [second, without_numbers(second)])

    def test_random_attacks_name_no_other_channel_and_hide_no_other_event(self) -> None:
        chance = random.Random(7)
        words = [*("\r\n", "\r\n\r\n") * 3, "7", "Event: Hangup", "Event: Newchannel", "Privilege: call,all"]
        words += ["Uniqueid: 1.1", "Linkedid: 1.1", "DestUniqueid: 1.1", "Response: Success", "ActionID: 1"]
        words += [f"{key}: " for key, _ in self.events["DialBegin"].headers]

        def attack() -> str:
            length = chance.randint(1, 12)
            return "".join(chance.choices(words, k=length))[: NUMBER_LIMIT - 1]

        numbers = ("CallerIDNum", "ConnectedLineNum", "Exten", "DestCallerIDNum", "DestConnectedLineNum")
        honest = self.events["Hangup"]
        for _ in range(3000):
            event = self.events[chance.choice((*self.SINGLE, "DialBegin", "DialEnd"))]
            torn = {key: attack() for key in numbers if key in event and chance.random() < 0.5}
            *mended, last = believed(raw(event, **torn) + raw(honest))
            self.assertEqual(last, honest, torn)
            for message in mended:
                self.assertEqual(message.event, event.event, torn)
                for key in ("Channel", "Uniqueid", "Linkedid"):
                    self.assertEqual(message.get(key), event.get(key), torn)
                if "DestUniqueid" in event:
                    self.assertEqual(message.get("DestUniqueid"), event.get("DestUniqueid"), torn)

    def test_what_piles_up_has_a_limit(self) -> None:
        head = raw(self.events["Newchannel"], CallerIDNum="7\r\n\r\nx", Exten="7\r\n\r\ny")
        stream = Stream()
        stream.receive(BANNER + head + b"CallerIDName: x\r\n\r\n" * 1000)
        tail = raw(self.events["Newchannel"]).partition(b"CallerIDName")[2]
        self.assertEqual(stream.receive(b"CallerIDName" + tail), [Dropped("", "it begins like no message")])
