"""Bytes of a manager interface become values, however the network cuts them."""

from twisted.trial.unittest import SynchronousTestCase

from fastagi.ami import stream
from fastagi.ami.messages import Message
from fastagi.ami.stream import Banner, Dropped, Stream
from fastagi.errors import RemoteProtocolError
from tests.doubles import feed_three_ways

from .captures import CAPTURES, read

BANNER = b"Asterisk Call Manager/11.0.0\r\n"
NEWS = b"Event: News\r\nPrivilege: test,all\r\n\r\n"


def received(data: bytes) -> list[object]:
    """What comes out behind the banner, the same for each way of feeding."""
    items = feed_three_ways(lambda: Stream().receive, BANNER + data, b"Event: Newch")
    assert items[0] == Banner("11.0.0")
    return items[1:]


class RecordedTests(SynchronousTestCase):
    """Conversations with a real Asterisk."""

    def test_every_recording_gives_the_same_messages_however_it_is_cut(self) -> None:
        for name in CAPTURES:
            items = feed_three_ways(
                lambda: Stream().receive, read(name), b"Event: Hangup\r\nPrivilege: c\xd0"
            )
            self.assertEqual(items[0], Banner("11.0.0"), name)
            self.assertEqual(items[1].response, "Success", name)
            blocks = [block for block in read(name).split(b"\r\n\r\n") if block.strip()]
            self.assertEqual(len(items), len(blocks) + 1, name)

    def test_output_of_several_lines_is_one_message(self) -> None:
        items = Stream().receive(read("18_coreshowchannels_3_calls/ami.txt"))
        output = [item for item in items if isinstance(item, Message) and len(item.all("Output")) > 1]
        self.assertEqual(len(output), 1)
        self.assertEqual(output[0].response, "Success")
        self.assertEqual(output[0].get("Message"), "Command output follows")


class CuttingTests(SynchronousTestCase):
    """Where a message ends."""

    def test_a_character_cut_by_two_reads_is_whole(self) -> None:
        items = received("Event: News\r\nPrivilege: test,all\r\nName: Жуков\r\n\r\n".encode())
        self.assertEqual([item.get("Name") for item in items], ["Жуков"])

    def test_only_crlf_ends_a_line(self) -> None:
        items = received(b"Event: News\r\nPrivilege: test,all\r\nCommand: a\n\nb\r\rc\n\r\r\n\r\n")
        self.assertEqual([item.get("Command") for item in items], ["a\n\nb\r\rc\n\r"])

    def test_an_empty_line_too_many_is_passed_over(self) -> None:
        self.assertEqual(received(NEWS + b"\r\n" + NEWS + b"\r\n\r\n" + NEWS), received(NEWS * 3))

    def test_a_piece_that_begins_like_no_message_is_dropped(self) -> None:
        self.assertEqual(
            received(b"CallerIDName: x\r\nUniqueid: 1.1\r\n\r\n" + NEWS),
            [Dropped("", "it begins like no message"), *received(NEWS)],
        )

    def test_a_dropped_kind_is_fit_for_a_log(self) -> None:
        forged = b"Event: \x1b[31m\nHangup\r\nUniqueid: 1.1\r\n\r\n"
        self.assertEqual(received(forged), [Dropped("", "neither Privilege nor ActionID comes second")])
        forged = b"Event: Hangup\r\nUniqueid: 1.1\r\n\r\n"
        self.assertEqual(received(forged), [Dropped("Hangup", "neither Privilege nor ActionID comes second")])


class LimitTests(SynchronousTestCase):
    """Nothing grows without bound."""

    def assert_refused(self, data: bytes, text: str) -> None:
        for size in (len(data), 1000):
            machine = Stream()

            def feed(machine: Stream = machine, size: int = size) -> None:
                for at in range(0, len(data), size):
                    machine.receive(data[at : at + size])

            error = self.assertRaises(RemoteProtocolError, feed)
            self.assertIn(text, str(error))

    def test_who_greets_as_something_else_is_no_asterisk(self) -> None:
        self.assert_refused(b"SSH-2.0-OpenSSH_9\r\n", "greets with 'SSH-2.0-OpenSSH_9'")
        self.assert_refused(b"\r\n", "greets with ''")
        self.assert_refused(b"x" * 400, "256 bytes")

    def test_a_line_has_a_limit(self) -> None:
        longest = b"Name: " + b"x" * (stream.MAX_LINE - len("Name: "))
        head = BANNER + b"Event: News\r\nPrivilege: test,all\r\n"
        self.assertEqual(len(Stream().receive(head + longest + b"\r\n\r\n")), 2)
        self.assert_refused(head + longest + b"x\r\n\r\n", "an AMI line of over 65536 bytes")

    def test_a_message_has_a_limit_even_before_it_ends(self) -> None:
        endless = b"Event: News\r\nPrivilege: test,all\r\n" + b"Name: xxxx\r\n" * 30_000
        self.assert_refused(BANNER + endless, "an AMI message of over 262144 bytes")
        self.assert_refused(BANNER + b"x" * 300_000, "an AMI message of over 262144 bytes")

    def test_the_lines_of_a_message_have_a_limit(self) -> None:
        head = BANNER + b"Event: News\r\nPrivilege: test,all\r\n"
        self.assertEqual(len(Stream().receive(head + b"N: x\r\n" * 1_998 + b"\r\n")), 2)
        self.assert_refused(head + b"N: x\r\n" * 1_999 + b"\r\n", "an AMI message of over 2000 lines")
