//! Both machines in the model: whatever happens, every coin has exactly one owner, who knows it.

use opencoin_transfer::Party;
use opencoin_transfer::invitation::Kind;
use opencoin_transfer::machine::receiver::{ReceiverRecord, ReceiverState};
use opencoin_transfer::machine::sender::{SenderEnd, SenderRecord, SenderState};
use opencoin_transfer::machine::{Ending, Event, RENEW_S};
use opencoin_transfer::message::AbortReason;
use proptest::prelude::*;

use crate::model::{Coins, Fault, World};
use crate::{invitation, request, rng};

const BOTH: [Party; 2] = [Party::Sender, Party::Receiver];

fn world() -> World {
    let (invitation, mut rng) = (invitation(Kind::ToReceive, 7), rng(1));
    let sender = SenderRecord::inviting(invitation.clone(), 3439, "gift".to_owned(), &mut rng);
    World::new(&sender, &ReceiverRecord::new(invitation, &mut rng))
}

/// What must be true at every rest: the coins have one owner, and nobody believes otherwise.
fn check(world: &World) {
    let (sender, receiver) = (world.sender.record(), world.receiver.record());
    let owner = world
        .sender
        .stack
        .as_ref()
        .and_then(|stack| world.issuer.owner(stack));
    match &sender.state {
        SenderState::Delivered { .. } => {
            assert_eq!(owner, Some(Party::Receiver));
            assert_eq!(world.sender.coins, Coins::Ended);
            assert!(matches!(receiver.state, ReceiverState::Paid { .. }));
        }
        SenderState::Ended(SenderEnd::Kept(_)) => {
            assert_eq!((world.sender.coins, &world.sender.stack), (Coins::None, &None));
            assert!(world.issuer.renewed.is_empty());
        }
        SenderState::Ended(SenderEnd::Reclaimed { amount, .. }) => {
            assert_eq!((owner, *amount), (Some(Party::Sender), 3439));
        }
        SenderState::Ended(SenderEnd::Taken(_)) => assert_eq!(owner, Some(Party::Receiver)),
        _ => {}
    }
    if let ReceiverState::Paid { receipt, .. } = &receiver.state {
        assert_eq!(owner, Some(Party::Receiver));
        assert_eq!(receipt.verify(), Ok(()));
    }
    assert!(
        world.issuer.renewed.len() <= 1,
        "only one stack may ever be renewed"
    );
    let renew_by = sender.renew_by.unwrap_or(u64::MAX);
    assert!(
        world.receiver.begun_at.iter().all(|at| *at <= renew_by),
        "a renewal begun too late"
    );
}

/// Both have the receipt. The very last message may be lost, because nothing depends on it.
fn is_delivered(world: &World) -> bool {
    matches!(world.sender.record().state, SenderState::Delivered { .. })
        && matches!(
            world.receiver.record().state,
            ReceiverState::Paid { is_seen: true, .. }
        )
}

#[test]
fn a_transfer_ends_with_a_receipt_on_both_sides() {
    let mut world = world();
    world.run();
    check(&world);
    assert!(is_delivered(&world));
    let (SenderState::Delivered { receipt: kept, .. }, ReceiverState::Paid { receipt: given, .. }) =
        (world.sender.record().state, world.receiver.record().state)
    else {
        panic!("no receipt");
    };
    assert_eq!(kept, given);
    assert!(world.sent < 30, "{} messages", world.sent);
}

#[test]
fn a_request_is_paid_without_a_question() {
    let (invitation, mut rng) = (invitation(request(3439, false), 7), rng(1));
    let mut sender = SenderRecord::paying(invitation.clone(), &mut rng).unwrap();
    // The model's stack has this subject.
    sender.subject = "gift".to_owned();
    let mut asked = invitation.clone();
    if let Kind::ToPay { subject, .. } = &mut asked.kind {
        *subject = "gift".to_owned();
    }
    let mut world = World::new(&sender, &ReceiverRecord::new(asked, &mut rng));
    world.receiver.says = false;
    world.run();
    check(&world);
    assert!(is_delivered(&world));
    // Other terms than those of the request.
    let mut world = World::new(&sender, &ReceiverRecord::new(invitation, &mut rng));
    world.settle();
    check(&world);
    let ending = Ending {
        reason: AbortReason::OtherTerms,
        by_this_end: false,
    };
    assert_eq!(
        world.sender.record().state,
        SenderState::Ended(SenderEnd::Kept(ending))
    );
}

#[test]
fn who_declines_gets_nothing_and_the_sender_keeps_everything() {
    let mut world = world();
    world.receiver.says = false;
    world.settle();
    check(&world);
    let ending = Ending {
        reason: AbortReason::Declined,
        by_this_end: false,
    };
    assert_eq!(
        world.sender.record().state,
        SenderState::Ended(SenderEnd::Kept(ending))
    );
}

#[test]
fn bad_coins_are_replaced_before_they_leave() {
    let mut world = world();
    world.sender.checks = [false, false, true].into();
    world.run();
    check(&world);
    assert!(is_delivered(&world));
}

#[test]
fn coins_that_the_receiver_refuses_come_back() {
    let mut world = world();
    world.receiver.checks = [false].into();
    world.settle();
    check(&world);
    assert!(matches!(
        world.sender.record().state,
        SenderState::Ended(SenderEnd::Reclaimed { .. })
    ));
}

/// A crash at every single point of either side, where a record is stored or the wallet is called.
#[test]
fn a_crash_at_any_point_changes_nothing_for_the_money() {
    for party in BOTH {
        for points in 0..80 {
            let mut world = world();
            match party {
                Party::Sender => world.sender.crash_after(points),
                Party::Receiver => world.receiver.crash_after(points),
            }
            world.settle();
            check(&world);
            assert!(is_delivered(&world), "{party:?} crashed after {points} points");
        }
    }
}

/// Each message is dropped, repeated and delayed once, in either direction.
#[test]
fn each_message_may_be_dropped_repeated_or_delayed() {
    for party in BOTH {
        for fault in [Fault::Drop, Fault::Repeat, Fault::Delay] {
            for steps in 0..150 {
                let mut world = world();
                for _ in 0..steps {
                    for party in BOTH {
                        world.start(party);
                        world.go(party);
                    }
                }
                world.fault(party, fault);
                world.settle();
                check(&world);
                assert!(is_delivered(&world), "{fault:?} to {party:?} after {steps} steps");
            }
        }
    }
}

/// One side disappears for ever after every number of steps; the other one ends by itself, and no coin is in doubt.
#[test]
fn a_sender_whose_receiver_disappears_ends_by_itself() {
    for steps in 0..150 {
        let mut world = world();
        for _ in 0..steps {
            for party in BOTH {
                world.start(party);
                world.go(party);
            }
        }
        world.crash(Party::Receiver);
        for _ in 0..4 {
            world.now_s += RENEW_S;
            world.start(Party::Sender);
            world.bring(Party::Sender, Event::Tick);
            while world.go(Party::Sender) {}
        }
        let state = world.sender.record().state;
        let is_waiting = matches!(state, SenderState::Waiting | SenderState::Greeting);
        assert!(
            is_waiting || matches!(state, SenderState::Ended(_) | SenderState::Delivered { .. }),
            "{state:?}"
        );
        // The receiver comes back too late, and learns what is true.
        world.settle();
        check(&world);
    }
}

#[test]
fn somebody_else_with_the_invitation_is_refused() {
    let mut world = world();
    world.start(Party::Sender);
    world.start(Party::Receiver);
    for _ in 0..10 {
        world.go(Party::Sender);
        world.go(Party::Receiver);
    }
    let before = world.sender.record();
    let thief = ReceiverRecord::new(invitation(Kind::ToReceive, 7), &mut rng(99));
    let mut with_thief = World::new(&before, &thief);
    with_thief.start(Party::Sender);
    with_thief.start(Party::Receiver);
    for _ in 0..50 {
        with_thief.go(Party::Sender);
        with_thief.go(Party::Receiver);
    }
    assert_eq!(with_thief.sender.record().state, before.state);
}

#[derive(Debug, Clone)]
enum Happening {
    Go(Party, usize),
    Crash(Party),
    CrashWithin(Party, usize),
    Disconnect,
    Fault(Party, Fault),
    Pass(u64),
    Stop(Party),
    GiveUp(Party),
}

fn happening() -> impl Strategy<Value = Happening> {
    let party = || prop_oneof![Just(Party::Sender), Just(Party::Receiver)];
    let fault = prop_oneof![Just(Fault::Drop), Just(Fault::Repeat), Just(Fault::Delay)];
    prop_oneof![
        12 => (party(), 1..12usize).prop_map(|(party, steps)| Happening::Go(party, steps)),
        1 => party().prop_map(Happening::Crash),
        2 => (party(), 0..8usize).prop_map(|(party, points)| Happening::CrashWithin(party, points)),
        1 => Just(Happening::Disconnect),
        2 => (party(), fault).prop_map(|(party, fault)| Happening::Fault(party, fault)),
        1 => (1..500u64).prop_map(Happening::Pass),
        1 => party().prop_map(Happening::Stop),
        1 => party().prop_map(Happening::GiveUp),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_schedule_conserves_the_money(happenings in proptest::collection::vec(happening(), 0..60)) {
        let mut world = world();
        for happening in happenings {
            for party in BOTH {
                world.start(party);
            }
            match happening {
                Happening::Go(party, steps) => {
                    for _ in 0..steps {
                        world.go(party);
                    }
                }
                Happening::Crash(party) => world.crash(party),
                Happening::CrashWithin(Party::Sender, points) => world.sender.crash_after(points),
                Happening::CrashWithin(Party::Receiver, points) => world.receiver.crash_after(points),
                Happening::Disconnect => world.disconnect(),
                Happening::Fault(party, fault) => world.fault(party, fault),
                Happening::Pass(seconds) => {
                    world.now_s += seconds;
                    for party in BOTH {
                        world.bring(party, Event::Tick);
                    }
                }
                Happening::Stop(party) => world.bring(party, Event::Stopped),
                Happening::GiveUp(party) => world.bring(party, Event::GivenUp),
            }
            check_owner(&world);
        }
        world.settle();
        check(&world);
    }
}

/// While things move, at least no coin has two owners.
fn check_owner(world: &World) {
    assert!(world.issuer.renewed.len() <= 1);
    if let SenderState::Delivered { .. } = world.sender.record().state {
        assert!(matches!(
            world.receiver.record().state,
            ReceiverState::Paid { .. }
        ));
    }
}
