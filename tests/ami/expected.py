"""The rows that the recorded conversations must give, written by hand.

Sources: notes.md and cdr.csv of each capture (who called, who answered, who hung up) and the outcome table of
DESIGN.md section 6. Seconds come from the timelines of the phones in notes.md, where there is one.
"""

from __future__ import annotations

from dataclasses import dataclass

from fastagi.calls import Direction, Outcome, Status

__all__ = ["EXPECTED", "Row"]

NAME = "Иванов Иван (ООО «Ромашка»)"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One expected row: the last state, and the events in order (S started, U updated, R ringing, A answered,
    T transferred, M merged, E ended). `waiting` and `talk` are None where the row must have no number, and
    "any" where the recording has no times."""

    id: str
    events: str
    direction: Direction = Direction.INCOMING
    status: Status = Status.PROCESSED
    outcome: Outcome = Outcome.ANSWERED
    caller: str = "79161234567"
    name: str | None = None
    called: str | None = "74951230001"
    queue: str | None = None
    operator: str | None = None
    answered: bool = True
    ended: bool = True
    waiting: int | str | None = "any"
    talk: int | str | None = "any"
    cause: int | None = 16
    merged_into: str | None = None


def missed(id: str, events: str, outcome: Outcome, **other: object) -> Row:
    """A call nobody answered."""
    values = {"status": Status.NOT_PROCESSED, "answered": False, "talk": None} | other
    return Row(id=id, events=events, outcome=outcome, **values)


def consultation(id: str, merged_into: str, **other: object) -> Row:
    """101 asks 102 on a line of its own, until Asterisk makes one call of two."""
    values = {
        "caller": "101",
        "name": "Operator One",
        "called": "102",
        "operator": "102",
        "cause": None,
    } | other
    return Row(id=id, events="SRAM", direction=Direction.INTERNAL, merged_into=merged_into, **values)


NO_ANSWER, BUSY, ABANDONED = Outcome.NO_ANSWER, Outcome.BUSY, Outcome.ABANDONED
FAILED, NOT_OBSERVED = Outcome.FAILED, Outcome.NOT_OBSERVED
OPERATOR_ONE = {"direction": Direction.OUTGOING, "caller": "101", "name": "Operator One", "operator": "101"}

# Capture -> its rows in the order in which they begin.
EXPECTED: dict[str, list[Row]] = {
    "01_answered_operator_hangs_up": [Row(id="1795423013.178", events="SRAE", operator="101")],
    "02_answered_caller_hangs_up": [Row(id="1795423018.180", events="SRAE", operator="101")],
    "03_no_answer": [missed("1795423023.182", "SRRE", NO_ANSWER)],
    "04_busy": [missed("1795423028.184", "SRRE", BUSY, cause=17)],
    "04b_declined_603": [missed("1795423031.186", "SRRE", NO_ANSWER, cause=21)],
    "05_caller_cancels_while_ringing": [missed("1795423040.190", "SRRE", ABANDONED, cause=127)],
    # Three phones begin to ring, two are cancelled, the third is answered.
    "06_ring_group_102_answers": [Row(id="1795423043.192", events="SRRRRRAE", operator="102")],
    "07_queue_102_answers": [
        Row(id="1795423049.196", events="SURRRRRAE", operator="102", queue="support"),
    ],
    # A round of three that rings out, another of which two are cancelled.
    "07b_queue_ring_no_answer_then_answer": [
        Row(id="1795423099.204", events="SU" + "RRR" * 3 + "RR" + "AE", operator="103", queue="support"),
    ],
    "08_queue_abandoned": [
        missed("1795423055.200", "SURRRRRRE", ABANDONED, queue="support", cause=0),
    ],
    "09_blind_transfer_101_to_102": [Row(id="1795423126.211", events="SRARTE", operator="102")],
    "09c_ami_redirect_to_102": [Row(id="1795423139.217", events="SRARTE", operator="102")],
    "10_attended_transfer_101_to_102": [
        Row(id="1795423146.220", events="SRATE", operator="102"),
        consultation("1795423147.222", "1795423146.220"),
    ],
    "11_pickup_102_takes_101": [
        Row(id="1795423162.229", events="SRRAE", operator="102"),
        # The picker's own call was answered by nobody: it became the caller's.
        Row(
            id="1795423163.231",
            events="SM",
            direction=Direction.INTERNAL,
            caller="102",
            name="Operator Two",
            called="**101",
            answered=False,
            talk=None,
            cause=None,
            merged_into="1795423162.229",
        ),
    ],
    "12_outgoing_101_via_trunk": [
        Row(id="1795423172.237", events="SUAE", called="79169876543", **OPERATOR_ONE),
    ],
    "13_caller_hangs_up_during_agi": [missed("1795423180.241", "SE", ABANDONED, cause=127)],
    "13b_caller_hangs_up_during_exec": [missed("1795423188.242", "SE", ABANDONED, cause=127)],
    "14_anonymous": [
        Row(id="1795423192.243", events="SRAE", operator="101", caller="anonymous", name="Anonymous"),
    ],
    "14b_no_number": [Row(id="1795423197.245", events="SRAE", operator="101", caller="")],
    "15_cyrillic_name_plus_number": [
        Row(
            id="1795423201.247",
            events="SRAE",
            operator="101",
            caller="+79161234567",
            name='Пётр «Ёлкин», \\"О\'К\\" \\\\ 5%; ()',
            called="+74951230001",
        ),
    ],
    "15b_odd_number_spaces_letters": [
        Row(
            id="1795423206.249",
            events="SRAE",
            operator="101",
            caller="8 (916) 123-45-67 abж",
            name="Odd",
        ),
    ],
    "16_internal_101_to_102": [
        Row(
            id="1795423215.253",
            events="SRAE",
            direction=Direction.INTERNAL,
            caller="101",
            name="Operator One",
            called="102",
            operator="102",
        ),
    ],
    "17_restart_mid_call": [Row(id="1795423945.0", events="SRAE", operator="101")],
    "18_coreshowchannels_3_calls": [
        Row(id="1795423220.255", events="SRAE", operator="101", caller="79161234561"),
        Row(id="1795423221.257", events="SRAE", operator="102", caller="79161234562"),
        Row(id="1795423221.259", events="SRAE", operator="103", caller="79161234563"),
    ],
    "20_ami_lookup_answered": [
        Row(id="1795448789.0", events="SRAE", operator="101", name="Пётр", waiting=1, talk=2),
    ],
    "20_announcement_only": [
        missed("1795448764.0", "SE", NO_ANSWER, called="74951230018", waiting=1),
    ],
    "20_attended_transfer": [
        Row(id="1795448907.0", events="SRATE", operator="102", waiting=1, talk=4),
        consultation("1795448909.2", "1795448907.0", waiting=1, talk=1),
    ],
    # 102 is asked through a Local channel with the caller's Linkedid: no row of its own.
    "20_attended_transfer_by_keys": [
        Row(id="1795451769.0", events="SRARTE", operator="102", waiting=1, talk=5),
    ],
    "20_attended_transfer_by_keys_while_ringing": [
        Row(id="1795451780.0", events="SRARTE", operator="102", waiting=1, talk=5),
    ],
    "20_attended_transfer_into_older_call": [
        consultation("1795448900.0", "1795448902.2", waiting=1, talk=3),
        Row(id="1795448902.2", events="SRATE", operator="102", waiting=1, talk=3),
    ],
    # The table says: we were away, the CDR is silent, it had been answered.
    "20_away_when_it_ended": [
        Row(
            id="1795450199.0",
            events="SRAE",
            outcome=NOT_OBSERVED,
            operator="101",
            ended=False,
            waiting=1,
            talk=None,
            cause=None,
        ),
    ],
    # That it was answered and by whom the list of live channels shows, but not when.
    "20_away_when_it_was_answered": [
        Row(
            id="1795450203.0",
            events="SRRRAE",
            operator="102",
            called="74951230003",
            answered=False,
            waiting=None,
            talk=None,
        ),
    ],
    "20_blind_transfer_second_does_not_answer": [
        Row(id="1795448913.0", events="SRARRE", operator="101", waiting=1, talk=3),
    ],
    # Three ring, two are cancelled, the third is answered: it rings no more when the caller hears it.
    "20_blind_transfer_to_queue": [
        Row(id="1795450231.0", events="SRAURRRRRTE", operator="103", queue="support", waiting=1, talk=4),
    ],
    "20_congestion": [
        missed("1795448775.0", "SE", FAILED, called="74951230014", waiting=0, cause=34),
    ],
    "20_follow_me_nobody": [
        missed("1795448851.0", "SRRRRE", NO_ANSWER, called="74951230008", waiting=3, cause=21),
    ],
    "20_follow_me_optimized": [
        Row(id="1795449397.0", events="SRRRAE", operator="102", called="74951230019", waiting=3, talk=2),
    ],
    "20_follow_me_second_answers": [
        Row(id="1795448845.0", events="SRRRAE", operator="102", called="74951230008", waiting=3, talk=2),
    ],
    # The attacker's own call has a row without his number: nothing that carries it can be believed. Nor can his
    # dialling be, so no ring was seen.
    "20_forged_hangup_in_number": [
        Row(id="1795450256.0", events="SRAE", operator="101", waiting=1, talk=3),
        missed("1795450258.2", "SE", BUSY, caller="", called="74951230021", waiting=0, cause=17),
    ],
    "20_group_all_busy": [
        missed("1795450209.0", "SRRRRRRE", BUSY, called="74951230003", waiting=0, cause=17),
    ],
    "20_group_all_declined": [
        missed("1795450211.0", "SRRRRRRE", NO_ANSWER, called="74951230003", waiting=1, cause=21),
    ],
    # The cause of the busy phone sticks to the caller's channel.
    "20_group_one_busy_then_abandoned": [
        missed("1795450214.0", "SRRRRRRE", ABANDONED, called="74951230003", waiting=2, cause=17),
    ],
    "20_ivr_caller_hangs_up": [
        missed("1795448755.0", "SE", ABANDONED, called="74951230017", waiting=2, cause=0),
    ],
    "20_ivr_then_queue_answered": [
        Row(
            id="1795448749.0",
            events="SURRRRRAE",
            operator="103",
            called="74951230009",
            queue="support",
            waiting=3,
            talk=2,
        ),
    ],
    # The end of both was not seen; the first had been answered.
    "20_kill_in_mid_call": [
        Row(
            id="1795448793.0",
            events="SRAE",
            operator="101",
            ended=False,
            waiting=1,
            talk=None,
            cause=None,
        ),
        missed(
            "1795448796.2",
            "SRRRE",
            NOT_OBSERVED,
            caller="79167654321",
            called="74951230003",
            ended=False,
            waiting=None,
            cause=None,
        ),
    ],
    "20_local_queue_abandoned": [
        missed("1795448832.0", "SURRRRE", ABANDONED, called="74951230006", queue="sales", waiting=2, cause=0),
    ],
    "20_local_queue_answered": [
        Row(
            id="1795448823.0",
            events="SURRRAE",
            operator="102",
            called="74951230006",
            queue="sales",
            waiting=2,
            talk=2,
        ),
    ],
    "20_local_queue_caller_hangs_up": [
        Row(
            id="1795448828.0",
            events="SURRRAE",
            operator="102",
            called="74951230006",
            queue="sales",
            waiting=2,
            talk=2,
        ),
    ],
    "20_local_queue_timeout": [
        missed("1795448835.0", "SURRRRE", NO_ANSWER, called="74951230007", queue="sales", waiting=4),
    ],
    "20_no_such_number": [
        missed("1795448776.0", "SE", FAILED, called="74951239999", waiting=0, cause=0),
    ],
    # Whom Asterisk dials first it calls by no number but what the DialString says; who "calls" is nobody.
    "20_originate_customer_first": [
        Row(
            id="1795451758.0",
            events="SURAE",
            direction=Direction.OUTGOING,
            caller="",
            called="79161234567",
            operator="101",
            waiting=2,
            talk=2,
        ),
    ],
    "20_originate_local_first": [
        Row(
            id="1795451751.0",
            events="SRRUAE",
            called="79161234567",
            waiting=2,
            talk=1,
            **OPERATOR_ONE | {"caller": "", "name": None},
        ),
    ],
    # Nothing was dialled outside yet, so to the tracker it is internal.
    "20_originate_phone_does_not_answer": [
        missed(
            "1795451764.0",
            "SRE",
            NO_ANSWER,
            called=None,
            waiting=2,
            cause=19,
            **OPERATOR_ONE | {"direction": Direction.INTERNAL, "operator": None},
        ),
    ],
    "20_originate_phone_first": [
        Row(id="1795451746.0", events="SRRUAE", called="79161234567", waiting=2, talk=2, **OPERATOR_ONE),
    ],
    "20_outgoing_answered": [
        Row(id="1795448786.0", events="SUAE", called="79161234567", waiting=1, talk=2, **OPERATOR_ONE),
    ],
    "20_outgoing_busy": [
        missed("1795448784.0", "SUE", BUSY, called="79161234567", waiting=0, cause=17, **OPERATOR_ONE),
    ],
    # The caller of an outgoing call is the operator, who gave up while it rang.
    "20_outgoing_unanswered": [
        missed("1795448781.0", "SUE", ABANDONED, called="79161234567", waiting=2, cause=127, **OPERATOR_ONE),
    ],
    "20_pickup_by_group": [
        Row(id="1795450218.0", events="SRRAE", operator="102", waiting=2, talk=2),
        Row(
            id="1795450219.2",
            events="SM",
            direction=Direction.INTERNAL,
            caller="102",
            name="Operator Two",
            called="*8",
            answered=False,
            talk=None,
            waiting=1,
            cause=None,
            merged_into="1795450218.0",
        ),
    ],
    "20_queue_optimized": [
        Row(
            id="1795449403.0",
            events="SURRRAE",
            operator="102",
            called="74951230020",
            queue="shop",
            waiting=1,
            talk=2,
        ),
    ],
    "20_queue_timeout": [
        missed("1795448840.0", "SURRRRRRE", NO_ANSWER, called="74951230005", queue="support", waiting=4),
    ],
    "20_refused_with_busy": [
        missed("1795451789.0", "SE", BUSY, called="74951230090", waiting=0, cause=17),
    ],
    # A list of live channels says neither what was dialled nor when somebody answered. The name is the one
    # that the channel has by then, given by the lookup.
    "20_snapshot_in_queue": [
        Row(
            id="1795448808.0",
            events="SRRAE",
            operator="102",
            name=NAME,
            called=None,
            queue="support",
            waiting=2,
            talk=2,
        ),
    ],
    "20_snapshot_local_queue_answered": [
        Row(
            id="1795448814.0",
            events="SE",
            operator="102",
            name=NAME,
            called=None,
            queue="sales",
            answered=False,
            waiting=None,
            talk=None,
        ),
    ],
    # The number of an outgoing call is the one the trunk shows, set by the dialplan.
    "20_snapshot_outgoing_answered": [
        Row(
            id="1795448819.0",
            events="SE",
            called="79161234567",
            answered=False,
            waiting=None,
            talk=None,
            **OPERATOR_ONE | {"caller": "74951230001"},
        ),
    ],
    "20_snapshot_while_answered": [
        Row(
            id="1795448804.0",
            events="SE",
            operator="101",
            name=NAME,
            called=None,
            answered=False,
            waiting=None,
            talk=None,
        ),
    ],
    "20_snapshot_while_ringing": [
        Row(id="1795448799.0", events="SAE", operator="101", name=NAME, called=None, waiting=2, talk=2),
    ],
    "20_survey_after_the_call": [
        Row(id="1795451792.0", events="SRAE", operator="101", called="74951230091", waiting=1, talk=2),
    ],
    "20_switched_off_phone": [
        missed("1795448768.0", "SRRE", FAILED, called="74951230013", waiting=5),
    ],
    "20_two_calls_at_once": [
        Row(id="1795448777.0", events="SRAE", operator="101", waiting=1, talk=1),
        Row(
            id="1795448777.2",
            events="SRRRRRAE",
            operator="102",
            caller="79167654321",
            name="Second",
            called="74951230003",
            waiting=1,
            talk=2,
        ),
    ],
    "20_unregistered_phone": [
        missed("1795448767.0", "SE", FAILED, called="74951230012", waiting=0, cause=3),
    ],
    "20_voicemail_after_no_answer": [
        missed("1795448758.0", "SRRE", NO_ANSWER, called="74951230010", waiting=5, cause=0),
    ],
}
