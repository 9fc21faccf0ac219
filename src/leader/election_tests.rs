//! Tests of who leads, and until when. Each test asks one question.

use super::*;

const RV: &str = "7";

fn cfg() -> LeaseConfig {
    LeaseConfig::new("bluegreen-system", "bluegreen-operator", "me")
}

fn secs(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn held_by(holder: &str, resource_version: &str) -> Snapshot {
    Snapshot {
        uid: "uid-1".to_owned(),
        resource_version: resource_version.to_owned(),
        holder: holder.to_owned(),
        transitions: 4,
        declared: secs(15.0),
    }
}

/// Drives [`step`], with times in seconds since the start.
struct Play {
    cfg: LeaseConfig,
    start: Instant,
    state: State,
}

impl Play {
    fn candidate() -> Self {
        let start = Instant::now();
        Self { cfg: cfg(), start, state: State::new(start) }
    }

    /// Returns a leader since 0 s, in epoch 5, that claimed a released Lease.
    fn leader() -> Self {
        let mut play = Self::candidate();
        play.at(0.0, Observation::Wake);
        play.at(0.0, read(held_by("", RV)));
        assert_eq!(play.at(0.0, Observation::Written(play.mine("8"))), play.wait_until(2.0));
        assert_eq!(play.valid_until(), 10.0);
        play
    }

    fn at(&mut self, seconds: f64, seen: Observation) -> Command {
        let (state, command) = step(&self.cfg, self.state.clone(), seen, self.start + secs(seconds));
        self.state = state;
        command
    }

    fn wait_until(&self, seconds: f64) -> Command {
        Command::Wait(self.start + secs(seconds))
    }

    fn mine(&self, resource_version: &str) -> Snapshot {
        Snapshot { transitions: 5, ..held_by(&self.cfg.identity, resource_version) }
    }

    fn valid_until(&self) -> f64 {
        match &self.state {
            State::Leader(leader) => (leader.valid_until() - self.start).as_secs_f64(),
            other => panic!("not a leader: {other:?}"),
        }
    }

    fn lost(&self) -> &LossReason {
        match &self.state {
            State::Ended(reason) => reason,
            other => panic!("not over: {other:?}"),
        }
    }
}

fn read(lease: Snapshot) -> Observation {
    Observation::Read(Some(lease))
}

fn claim(based_on: Snapshot) -> Command {
    Command::Replace { based_on, purpose: Purpose::Claim }
}

fn renew(based_on: Snapshot) -> Command {
    Command::Replace { based_on, purpose: Purpose::Renew }
}

fn release(based_on: Snapshot) -> Command {
    Command::Replace { based_on, purpose: Purpose::Release }
}

#[test]
fn the_first_process_ever_creates_the_lease() {
    let mut play = Play::candidate();
    assert_eq!(play.at(0.0, Observation::Wake), Command::Read);
    assert_eq!(play.at(0.1, Observation::Read(None)), Command::Create);
    let created = Snapshot { transitions: 1, ..held_by("me", "1") };
    play.at(0.3, Observation::Written(created));
    assert_eq!(play.valid_until(), 10.1, "counted from the start of the request");
}

#[test]
fn a_released_lease_is_claimed_at_once() {
    let mut play = Play::candidate();
    play.at(0.0, Observation::Wake);
    assert_eq!(play.at(0.1, read(held_by("", RV))), claim(held_by("", RV)));
}

#[test]
fn a_held_lease_is_claimed_after_a_full_duration_without_change() {
    let mut play = Play::candidate();
    let mut now = 0.0;
    while now < 15.0 {
        assert_eq!(play.at(now, Observation::Wake), Command::Read);
        assert_eq!(play.at(now, read(held_by("other", RV))), play.wait_until((now + 2.0).min(15.0)));
        now = (now + 2.0f64).min(15.0);
    }
    play.at(15.0, Observation::Wake);
    assert_eq!(play.at(15.0, read(held_by("other", RV))), claim(held_by("other", RV)));
}

#[test]
fn every_renewal_seen_starts_the_wait_again() {
    let mut play = Play::candidate();
    play.at(0.0, read(held_by("other", "1")));
    play.at(14.0, read(held_by("other", "2")));
    assert!(matches!(play.at(28.9, read(held_by("other", "2"))), Command::Wait(_)));
    assert_eq!(play.at(29.0, read(held_by("other", "2"))), claim(held_by("other", "2")));
}

#[test]
fn a_lease_that_looks_old_is_not_free_to_a_process_that_just_started() {
    // A snapshot holds no time at all, because another machine's clock can't be trusted.
    let mut play = Play::candidate();
    play.at(0.0, Observation::Wake);
    assert!(matches!(play.at(0.0, read(held_by("crashed-long-ago", RV))), Command::Wait(_)));
}

#[test]
fn a_holder_that_asks_for_more_time_gets_it() {
    let patient = Snapshot { declared: secs(60.0), ..held_by("other", RV) };
    let mut play = Play::candidate();
    play.at(0.0, read(patient.clone()));
    assert!(matches!(play.at(59.9, read(patient.clone())), Command::Wait(_)));
    assert_eq!(play.at(60.0, read(patient.clone())), claim(patient));
}

#[test]
fn a_deleted_lease_is_not_created_before_its_last_holder_must_have_noticed() {
    let mut play = Play::candidate();
    play.at(0.0, read(held_by("other", RV)));
    assert!(matches!(play.at(2.0, Observation::Read(None)), Command::Wait(_)));
    assert!(matches!(play.at(16.9, Observation::Read(None)), Command::Wait(_)));
    assert_eq!(play.at(17.0, Observation::Read(None)), Command::Create);
}

#[test]
fn a_replaced_lease_is_waited_for_even_when_nobody_holds_it() {
    let replaced = Snapshot { uid: "uid-2".to_owned(), ..held_by("", "1") };
    let mut play = Play::candidate();
    play.at(0.0, read(held_by("other", RV)));
    assert!(matches!(play.at(2.0, read(replaced.clone())), Command::Wait(_)));
    assert_eq!(play.at(17.0, read(replaced.clone())), claim(replaced));
}

#[test]
fn a_lease_that_came_back_is_waited_for_from_when_it_is_seen() {
    let back = Snapshot { uid: "uid-2".to_owned(), ..held_by("", "1") };
    let mut play = Play::candidate();
    play.at(0.0, read(held_by("other", RV)));
    play.at(2.0, Observation::Read(None));
    // Whoever created it may have led since then, without this process seeing it.
    assert!(matches!(play.at(16.0, read(back.clone())), Command::Wait(_)));
    assert!(matches!(play.at(30.9, read(back.clone())), Command::Wait(_)));
    assert_eq!(play.at(31.0, read(back.clone())), claim(back));
}

/// [`sim`](super::sim) found this: a create whose answer was lost created the Lease again after it had been deleted,
/// and somebody's label on it ended the wait for the earlier leader.
#[test]
fn a_wait_for_whoever_held_a_lease_that_is_gone_is_not_ended_by_a_change_of_the_new_one() {
    let made_late =
        |resource_version| Snapshot { uid: "uid-2".to_owned(), ..held_by("me", resource_version) };
    let released = Snapshot { uid: "uid-2".to_owned(), ..held_by("", "3") };
    let mut play = Play::candidate();
    play.at(0.0, Observation::Wake);
    assert_eq!(play.at(0.0, Observation::Read(None)), Command::Create);
    play.at(2.0, Observation::Unknown);
    assert!(matches!(play.at(2.0, read(held_by("other", RV))), Command::Wait(_)));
    assert!(matches!(play.at(6.0, read(made_late("1"))), Command::Wait(_)));
    for changed in [made_late("2"), released.clone()] {
        assert!(matches!(play.at(8.0, read(changed)), Command::Wait(_)));
    }
    assert_eq!(play.at(21.0, read(released.clone())), claim(released));
}

/// Its own Lease, of which it hears when its term would be over; meanwhile another process may have taken and lost it.
#[test]
fn a_lease_whose_creation_was_answered_too_late_is_waited_for_when_it_is_gone() {
    let mut play = Play::candidate();
    play.at(0.0, Observation::Wake);
    assert_eq!(play.at(0.0, Observation::Read(None)), Command::Create);
    let late = Observation::Written(play.mine("1"));
    assert!(matches!(play.at(20.0, late), Command::Wait(_)));
    play.at(20.0, Observation::Wake);
    assert!(matches!(play.at(20.0, Observation::Read(None)), Command::Wait(_)));
    play.at(35.0, Observation::Wake);
    assert_eq!(play.at(35.0, Observation::Read(None)), Command::Create);
}

#[test]
fn a_lost_race_is_followed_by_a_pause_and_a_new_look() {
    let mut play = Play::candidate();
    play.at(0.0, Observation::Wake);
    play.at(0.0, read(held_by("", RV)));
    assert_eq!(play.at(0.1, Observation::Refused), play.wait_until(2.0));
    assert_eq!(play.at(2.0, Observation::Wake), Command::Read);
    assert!(matches!(play.at(2.0, read(held_by("other", "8"))), Command::Wait(_)));
}

#[test]
fn a_claim_whose_answer_was_lost_is_made_again_with_a_new_epoch() {
    let mut play = Play::candidate();
    play.at(0.0, Observation::Wake);
    play.at(0.0, read(held_by("", RV)));
    play.at(2.0, Observation::Unknown);
    play.at(2.0, Observation::Wake);
    // The claim did happen. Nobody acted in epoch 5, and nobody ever will.
    assert_eq!(play.at(2.0, read(play.mine("8"))), claim(play.mine("8")));
}

#[test]
fn our_name_on_a_lease_we_never_claimed_is_somebody_else() {
    let mut play = Play::candidate();
    play.at(0.0, Observation::Wake);
    assert!(matches!(play.at(0.0, read(held_by("me", RV))), Command::Wait(_)));
}

#[test]
fn an_answer_to_a_claim_that_comes_after_the_term_is_no_leadership() {
    let mut play = Play::candidate();
    play.at(0.0, Observation::Wake);
    play.at(0.0, read(held_by("", RV)));
    play.at(10.0, Observation::Written(play.mine("8")));
    assert!(matches!(play.state, State::Candidate(_)));
}

#[test]
fn a_leader_renews_every_retry_period_and_keeps_its_epoch() {
    let mut play = Play::leader();
    assert_eq!(play.at(2.0, Observation::Wake), renew(play.mine("8")));
    assert_eq!(play.at(2.4, Observation::Written(play.mine("9"))), play.wait_until(4.0));
    assert_eq!(play.valid_until(), 12.0, "from the start of the request, not from its answer");
    let State::Leader(leader) = &play.state else { panic!("{:?}", play.state) };
    assert_eq!((leader.uid(), leader.epoch()), ("uid-1", 5));
}

#[test]
fn an_api_server_that_fails_for_too_long_ends_leadership() {
    let mut play = Play::leader();
    let mut now = 2.0;
    while now < 10.0 {
        assert_eq!(play.at(now, Observation::Wake), renew(play.mine("8")));
        assert_eq!(play.at(now + 0.1, Observation::Unknown), play.wait_until(now + 2.0));
        assert_eq!(play.valid_until(), 10.0, "no answer, no time");
        now += 2.0;
    }
    assert_eq!(play.at(10.0, Observation::Wake), Command::Stop);
    assert_eq!(play.lost(), &LossReason::Expired);
}

#[test]
fn a_leader_never_waits_past_its_deadline() {
    let mut play = Play::leader();
    play.at(9.0, Observation::Wake);
    assert_eq!(play.at(9.1, Observation::Unknown), play.wait_until(10.0));
}

#[test]
fn a_process_that_was_frozen_past_its_deadline_is_not_leader() {
    for news in [Observation::Wake, Observation::Unknown, Observation::Refused, Observation::Resign] {
        let mut play = Play::leader();
        assert_eq!(play.at(10.0, news), Command::Stop);
        assert_eq!(play.lost(), &LossReason::Expired);
    }
    // This holds even if the renewal that it had sent was acknowledged: it could not know that at 10 s.
    let mut play = Play::leader();
    play.at(9.0, Observation::Wake);
    play.at(10.5, Observation::Written(play.mine("9")));
    assert_eq!(play.lost(), &LossReason::Expired);
}

#[test]
fn a_refused_renewal_is_read_again_and_repeated_when_the_lease_is_still_ours() {
    let mut play = Play::leader();
    play.at(2.0, Observation::Wake);
    assert_eq!(play.at(2.1, Observation::Refused), Command::Read);
    // Somebody set a label, or an earlier renewal did happen after all.
    assert_eq!(play.at(2.2, read(play.mine("9"))), renew(play.mine("9")));
    assert_eq!(play.valid_until(), 10.0, "reading is not renewing");
    play.at(2.3, Observation::Written(play.mine("10")));
    assert_eq!(play.valid_until(), 12.2);
}

#[test]
fn a_renewal_refused_twice_waits_for_its_next_turn() {
    let mut play = Play::leader();
    play.at(2.0, Observation::Wake);
    play.at(2.1, Observation::Refused);
    play.at(2.2, read(play.mine("9")));
    assert_eq!(play.at(2.3, Observation::Refused), play.wait_until(4.2));
    play.at(4.2, Observation::Wake);
    assert_eq!(play.at(4.3, Observation::Refused), Command::Read);
}

#[test]
fn any_other_lease_ends_leadership_at_once() {
    let mine = Play::leader().mine("9");
    let cases = [
        (None, LossReason::Deleted),
        (Some(Snapshot { uid: "uid-2".to_owned(), ..mine.clone() }), LossReason::Replaced),
        (
            Some(Snapshot { holder: "other".to_owned(), transitions: 6, ..mine.clone() }),
            LossReason::TakenOver { by: "other".to_owned() },
        ),
        // The holder was cleared by hand, or it names this process in another epoch.
        (
            Some(Snapshot { holder: String::new(), ..mine.clone() }),
            LossReason::TakenOver { by: String::new() },
        ),
        (Some(Snapshot { transitions: 6, ..mine }), LossReason::TakenOver { by: "me".to_owned() }),
    ];
    for (found, reason) in cases {
        let mut play = Play::leader();
        play.at(2.0, Observation::Wake);
        play.at(2.1, Observation::Refused);
        assert_eq!(play.at(2.2, Observation::Read(found)), Command::Stop);
        assert_eq!(play.lost(), &reason);
    }
}

#[test]
fn a_leader_that_resigns_releases_what_it_holds() {
    let mut play = Play::leader();
    assert_eq!(play.at(3.0, Observation::Resign), release(play.mine("8")));
    assert!(matches!(&play.state, State::Leader(leader) if leader.leaving()));
    assert_eq!(play.at(3.1, Observation::Written(held_by("", "9"))), Command::Stop);
    assert_eq!(play.lost(), &LossReason::Released);
}

#[test]
fn a_release_is_tried_until_the_term_is_over() {
    let mut play = Play::leader();
    play.at(3.0, Observation::Resign);
    assert_eq!(play.at(3.1, Observation::Unknown), play.wait_until(5.0));
    assert_eq!(play.at(5.0, Observation::Wake), release(play.mine("8")));
    // The renewal before it was late, and took effect first.
    assert_eq!(play.at(5.1, Observation::Refused), Command::Read);
    assert_eq!(play.at(5.2, read(play.mine("9"))), release(play.mine("9")));
    // The first release did happen after all, and somebody else leads.
    play.at(5.3, Observation::Refused);
    play.at(7.2, Observation::Wake);
    play.at(7.3, Observation::Refused);
    assert_eq!(play.at(7.4, read(held_by("other", "12"))), Command::Stop);
    assert_eq!(play.lost(), &LossReason::Released);
}

#[test]
fn a_candidate_that_resigns_just_stops() {
    let mut play = Play::candidate();
    assert_eq!(play.at(0.0, Observation::Resign), Command::Stop);
}

#[test]
fn what_is_over_stays_over() {
    let mut play = Play::leader();
    play.at(10.0, Observation::Wake);
    for news in [Observation::Wake, read(play.mine("9")), Observation::Written(play.mine("9"))] {
        assert_eq!(play.at(10.1, news), Command::Stop);
    }
    assert_eq!(play.lost(), &LossReason::Expired);
}
