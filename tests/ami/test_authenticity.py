"""Only Asterisk's own events are believed."""

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
    items = Stream().receive(BANNER + data)[1:]
    return [item for item in items if isinstance(item, Message)]


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

    def assert_harmless(self, attack: bytes) -> None:
        """Nothing of the attack is believed, and the next honest event is."""
        self.assertEqual(believed(attack + raw(self.honest)), [self.honest])

    def test_the_attack_of_the_facts(self) -> None:
        """From: 7%0d%0a%0d%0aEvent%3a%20Hangup%0d%0aUniqueid%3a%201.1"""
        number = "7\r\n\r\nEvent: Hangup\r\nUniqueid: 1.1"
        self.assert_harmless(raw(self.events["Newchannel"], CallerIDNum=number))

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
                    self.assert_harmless(raw(self.events["Newchannel"], CallerIDNum=number))
                    self.assert_harmless(raw(self.events["DialBegin"], DestConnectedLineNum=number))
                    self.assert_harmless(raw(self.events["NewConnectedLine"], ConnectedLineNum=number))
                    self.assert_harmless(raw(self.events["Newchannel"], Exten=number))
                    self.assert_harmless(raw(self.events["CoreShowChannel"], CallerIDNum=number))

    def test_a_shutdown_is_not_the_callers_to_announce(self) -> None:
        bare = "7\r\n\r\nEvent: Shutdown\r\nPrivilege: \r\nShutdown: \r\nRestart: "
        for number in (bare, bare + "\r\n\r\n", bare + "\r\n\r\nA"):
            self.assertLessEqual(len(number), NUMBER_LIMIT)
            self.assert_harmless(raw(self.events["Newchannel"], CallerIDNum=number))

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
                self.assert_harmless(raw(newchannel, CallerIDNum=forged))
        self.assertEqual(fitting, {"FullyBooted", "Shutdown", "Rename"})

    def test_a_head_completed_by_a_forged_tail_is_taken_back(self) -> None:
        """A loose dialplan pattern lets the dialled number name another call's channel."""
        number = "7\r\nPriority: 1\r\nUniqueid: 1795423013.178\r\nLinkedid: 1795423013.178\r\n\r\n"
        self.assertLessEqual(len(number), NUMBER_LIMIT)
        for kind in ("Newchannel", "Newstate", "NewConnectedLine", "BridgeEnter", "HangupRequest"):
            attack = raw(self.events[kind], Exten=number)
            self.assert_harmless(attack)
            self.assert_harmless(raw(self.events[kind], Exten=number + "x"))
            self.assertEqual(
                Stream().receive(BANNER + attack)[1:],
                [
                    Dropped(kind, "a piece of another message follows it"),
                    Dropped("", "it begins like no message"),
                ],
            )
