"""Messages are read without loss and written without danger."""

from twisted.trial.unittest import SynchronousTestCase

from fastagi.ami.messages import Message, decode, encode
from fastagi.errors import LocalProtocolError

from .captures import CAPTURES, read


def event(*lines: str) -> Message:
    return decode("\r\n".join(("Event: Newchannel", "Privilege: call,all", *lines)).encode())


class ReadingTests(SynchronousTestCase):
    """`decode`."""

    def test_headers_keep_their_order_and_repeat(self) -> None:
        message = decode(b"Response: Success\r\nActionID: 7\r\nOutput: one\r\nOutput: two")
        self.assertEqual(
            message.headers,
            [("Response", "Success"), ("ActionID", "7"), ("Output", "one"), ("Output", "two")],
        )
        self.assertEqual(message.get("Output"), "one")
        self.assertEqual(message.all("Output"), ["one", "two"])
        self.assertEqual((message.response, message.action_id, message.event), ("Success", "7", ""))

    def test_a_key_that_is_not_there_has_the_default(self) -> None:
        self.assertEqual(event().get("Exten"), "")
        self.assertEqual(event().get("Exten", "s"), "s")
        self.assertEqual(event().all("Exten"), [])
        self.assertNotIn("Exten", event())
        self.assertIn("Privilege", event())

    def test_a_value_may_be_empty_or_hold_colons(self) -> None:
        message = event("AccountCode: ", "Bare:", "AppData: agi://h:4573/lookup: 1", "no colon")
        self.assertEqual(
            message.headers[2:],
            [("AccountCode", ""), ("Bare", ""), ("AppData", "agi://h:4573/lookup: 1"), ("no colon", "")],
        )

    def test_names_and_variables_of_events_are_unescaped(self) -> None:
        for key in (
            *("CallerIDName", "ConnectedLineName", "ChanVariable", "DestCallerIDName", "DestChanVariable"),
            *("TransfereeConnectedLineName", "LocalOneCallerIDName"),
        ):
            message = event(key + r": a\"b\'c\\d\te\nf\rg\?h\qi" + "\\")
            self.assertEqual(message.get(key), "a\"b'c\\d\te\nf\rg?h\\qi\\", key)

    def test_the_value_of_varset_is_unescaped_and_no_other_value(self) -> None:
        varset = decode(b"Event: VarSet\r\nPrivilege: dialplan,all\r\nVariable: A\r\nValue: O\\'K")
        self.assertEqual(varset.get("Value"), "O'K")
        for key in ("Value", "CallerIDNum", "Exten", "EffectiveConnectedLineName"):
            self.assertEqual(event(key + r": a\'b").get(key), r"a\'b", key)

    def test_answers_are_never_unescaped(self) -> None:
        answer = decode(b"Response: Success\r\nCallerIDName: a\\'b")
        self.assertEqual(answer.get("CallerIDName"), r"a\'b")

    def test_a_recorded_name_comes_out_as_the_caller_wrote_it(self) -> None:
        block = next(
            block
            for block in read("15_cyrillic_name_plus_number/ami.txt").split(b"\r\n\r\n")
            if b"Event: Newchannel" in block and "Ёлкин".encode() in block
        )
        # The trunk sent the quoted-string with its backslashes (notes.md); AMI escaped each of them again.
        self.assertIn("«Ёлкин»", decode(block).get("CallerIDName"))
        self.assertNotIn("\\\\\\", decode(block).get("CallerIDName"))

    def test_broken_utf8_costs_only_itself(self) -> None:
        message = decode(b"Event: X\r\nPrivilege: call,all\r\nCallerIDNum: 7\xd0\r\nExten: \xff1")
        self.assertEqual(message.get("CallerIDNum"), "7\ufffd")
        self.assertEqual(message.get("Exten"), "\ufffd1")

    def test_a_bare_cr_or_lf_is_part_of_the_value(self) -> None:
        self.assertEqual(event("Command: a\nb\rc").get("Command"), "a\nb\rc")

    def test_messages_with_the_same_headers_are_equal(self) -> None:
        self.assertEqual(event("A: 1"), event("A: 1"))
        self.assertEqual(hash(event("A: 1")), hash(event("A: 1")))
        self.assertNotEqual(event("A: 1"), event("A: 2"))
        self.assertIn("'A', '1'", repr(event("A: 1")))

    def test_every_recorded_message_without_escapes_can_be_written_back(self) -> None:
        for name in CAPTURES:
            for block in read(name).partition(b"\r\n")[2].split(b"\r\n\r\n"):
                block = block.removeprefix(b"\r\n")  # TestEvent may end with an empty line too many
                if block and b"\\" not in block:
                    again = "\r\n".join(f"{key}: {value}" for key, value in decode(block).headers)
                    self.assertEqual(again.encode(), block, name)


class WritingTests(SynchronousTestCase):
    """`encode`."""

    def test_action_and_its_id_come_first(self) -> None:
        self.assertEqual(
            encode("Login", "x1", [("Username", "whocalls"), ("Secret", "Ж:1")]),
            "Action: Login\r\nActionID: x1\r\nUsername: whocalls\r\nSecret: Ж:1\r\n\r\n".encode(),
        )

    def test_what_would_begin_another_header_is_refused(self) -> None:
        for value in ("a\r\nAction: Originate", "a\nb", "a\rb", "a\0b"):
            error = self.assertRaises(LocalProtocolError, encode, "Login", "x1", [("Secret", value)])
            self.assertIn("Secret", str(error))
            self.assertNotIn("Originate", str(error))

    def test_a_key_that_is_no_key_is_refused(self) -> None:
        for key in ("", "A: b", "A\r\nB", "1A", "Ключ"):
            self.assertRaises(LocalProtocolError, encode, "Ping", "x1", [(key, "v")])

    def test_the_longest_line_is_the_longest_asterisk_reads(self) -> None:
        longest = "v" * (1022 - len("Key: "))
        written = encode("Ping", "x1", [("Key", longest)])
        self.assertEqual(max(map(len, written.split(b"\r\n"))), 1022)
        error = self.assertRaises(LocalProtocolError, encode, "Ping", "x1", [("Key", longest + "v")])
        self.assertIn("1023 bytes", str(error))
        # Bytes count, not characters.
        self.assertRaises(LocalProtocolError, encode, "Ping", "x1", [("Key", "Ж" * 600)])

    def test_as_many_headers_as_asterisk_reads(self) -> None:
        encode("Ping", "x1", [("Variable", str(number)) for number in range(126)])
        self.assertRaises(
            LocalProtocolError, encode, "Ping", "x1", [("Variable", str(number)) for number in range(127)]
        )
