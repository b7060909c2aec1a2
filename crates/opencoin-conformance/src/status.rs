//! Rules of frozen and closed accounts, and of start codes.

use opencoin_ledger::{
    AccountId, AccountStatus, Action, ActionFilter, ActionKind, Command, Consent, Effect, Login, NewService,
    NewSession, OperatorCommand, Outcome, PasswordHash, PasswordSetter, Refusal, Scope, ServiceId,
    ServiceRefusal, Start, StartCodeHash, TokenHash,
};

use crate::world::*;
use crate::{Pair, Store, World};

fn set_to(status: AccountStatus) -> Command {
    set_status(alice(), status)
}

fn token(byte: u8) -> TokenHash {
    TokenHash::new([byte; 32])
}

fn hash(text: &str) -> PasswordHash {
    PasswordHash::new(format!("$test${text}"))
}

async fn status(ledger: &dyn Store, name: &str) -> AccountStatus {
    account(ledger, name).await.unwrap().status
}

/// A service of Alice.
fn service(byte: u8) -> NewService {
    NewService {
        id: ServiceId::new(format!("{byte:032x}")).unwrap(),
        account: alice(),
        name: format!("till-{byte}").parse().unwrap(),
        scopes: [Scope::Mint].into(),
        key: token(byte),
        by: own_token(alice()),
        at: NOW,
    }
}

/// Of a frozen account nothing leaves and no coins arrive, whichever way a batch is decided. Transfers to it and what the
/// operator does arrive.
pub async fn a_frozen_account_moves_no_money(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 50).await;
    world.one(mint(alice(), "before", &[1])).await.unwrap();
    world.one(payout(alice(), 5, "asked")).await.unwrap();
    let set_once = world.one(set_to(AccountStatus::Frozen)).await;
    assert_eq!(set_once, new(Effect::AccountStatusSet));
    assert_eq!(
        world.one(set_to(AccountStatus::Frozen)).await,
        again(Effect::AccountStatusSet)
    );
    assert_eq!(status(&*ledgers[1], "alice").await, AccountStatus::Frozen);

    let frozen: Outcome = Err(Refusal::AccountFrozen);
    for command in [
        transfer(alice(), bob(), 1, "t"),
        payout(alice(), 1, "p"),
        mint(alice(), "m", &[1]),
        redeem(alice(), &[(1, 1)]),
    ] {
        assert_eq!(world.one(command.clone()).await, frozen, "{command:?}");
        let outcomes = without_log(ledgers[1].apply(&[command]).await.unwrap());
        assert_eq!(outcomes[0], frozen);
    }
    assert_eq!(
        world.one(mint(alice(), "before", &[1])).await,
        again(accepted(1)),
        "what was done is answered"
    );
    assert_eq!(world.balances().await, [44, 0]);

    world.one(credit(bob(), 3, "bob")).await.unwrap();
    assert_eq!(world.one(transfer(bob(), alice(), 3, "to")).await, new(moved(3)));
    assert_eq!(world.one(credit(alice(), 2, "in")).await, new(moved(2)));
    assert_eq!(world.one(debit(alice(), 1, "out")).await, new(moved(1)));
    assert_eq!(world.one(failed(1, "no such account")).await, new(moved(5)));
    assert_eq!(world.balances().await, [53, 0]);

    assert_eq!(
        world.one(set_to(AccountStatus::Open)).await,
        new(Effect::AccountStatusSet)
    );
    assert_eq!(world.one(transfer(alice(), bob(), 1, "t")).await, new(moved(1)));
    assert_eq!(world.one(redeem(alice(), &[(1, 1)])).await, new(moved(1)));
}

/// A mint that waits for money is not carried out while its account is frozen, and is given up at its time.
pub async fn a_waiting_mint_of_a_frozen_account_waits(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 0).await;
    let waiting = |micros: i64| at(micros, patient(190, mint(alice(), "waits", &[5])));
    assert_eq!(world.one(waiting(150)).await, new(Effect::Waiting));
    world.one(set_to(AccountStatus::Frozen)).await.unwrap();
    world.one(credit(alice(), 5, "in")).await.unwrap();
    let due = ledgers[1].accounts().due(time(160), None, 10).await.unwrap();
    assert_eq!(due, []);
    assert_eq!(world.one(waiting(160)).await, again(Effect::Waiting));
    assert_eq!(world.balances().await, [5, 0]);

    world.one(set_to(AccountStatus::Open)).await.unwrap();
    let due = ledgers[1].accounts().due(time(160), None, 10).await.unwrap();
    assert_eq!(due.len(), 1);
    world.one(set_to(AccountStatus::Frozen)).await.unwrap();
    let due = ledgers[1].accounts().due(time(190), None, 10).await.unwrap();
    assert_eq!(due.len(), 1, "its time is over");
    assert_eq!(world.one(waiting(190)).await, new(Effect::GivenUp));
    assert_eq!(world.balances().await, [5, 0]);
}

/// An account is closed when it is empty and nothing waits. Then nobody has a way in, nothing arrives, and the name is
/// never used again.
pub async fn a_closed_account_has_no_money_and_no_way_in(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 5).await;
    let accounts = ledgers[0].accounts();
    accounts
        .set_password(alice(), &hash("first"), by_operator())
        .await
        .unwrap();
    accounts.set_listed(alice(), true).await.unwrap();
    let session = NewSession {
        account: alice(),
        login: Login::Password(hash("first")),
        token: token(50),
        at: NOW,
        expires: time(1000),
    };
    assert!(accounts.open_session(&session).await.unwrap());
    accounts.declare_service(&service(60)).await.unwrap().unwrap();
    let issued = action(ActionKind::IssueStartCode, "alice");
    assert!(
        accounts
            .set_start_code(alice(), &hash("code"), time(1000), &issued)
            .await
            .unwrap()
    );

    let close = || set_to(AccountStatus::Closed);
    let not_empty = Err(Refusal::AccountNotEmpty { balance: amount(5) });
    assert_eq!(world.one(close()).await, not_empty);
    world.one(payout(alice(), 5, "all")).await.unwrap();
    assert_eq!(world.one(close()).await, Err(Refusal::AccountHasPayouts));
    world.one(paid(1, "bank 1")).await.unwrap();
    let waits = patient(190, mint(alice(), "waits", &[5]));
    assert_eq!(world.one(waits).await, new(Effect::Waiting));
    assert_eq!(world.one(close()).await, Err(Refusal::AccountHasWaitingMints));
    let over = at(190, patient(190, mint(alice(), "waits", &[5])));
    assert_eq!(world.one(over).await, new(Effect::GivenUp));
    assert_eq!(
        ledgers[1].apply(&[close()]).await.unwrap(),
        [new(Effect::AccountStatusSet)]
    );

    assert_eq!(world.one(close()).await, again(Effect::AccountStatusSet));
    assert_eq!(
        world.one(set_to(AccountStatus::Open)).await,
        Err(Refusal::AccountClosed)
    );
    let profile = accounts
        .profile(&"alice".parse().unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (profile.password, profile.listed, profile.account.status),
        (None, false, AccountStatus::Closed)
    );
    for secret in [token(1), token(50)] {
        assert_eq!(accounts.bearer(&secret, NOW).await.unwrap(), None);
    }
    assert_eq!(accounts.services(alice()).await.unwrap(), []);
    assert_eq!(accounts.start_code(alice(), NOW).await.unwrap(), None);

    // No way leads in again.
    let replaced = action(ActionKind::ReplaceToken, "alice");
    assert!(!accounts.set_token(alice(), &token(51), &replaced).await.unwrap());
    assert!(
        !accounts
            .set_password(alice(), &hash("second"), by_operator())
            .await
            .unwrap()
    );
    assert!(
        !accounts
            .set_start_code(alice(), &hash("code"), time(1000), &issued)
            .await
            .unwrap()
    );
    assert!(!accounts.open_session(&session).await.unwrap());
    accounts.set_listed(alice(), true).await.unwrap();
    let declared = accounts.declare_service(&service(61)).await.unwrap();
    assert_eq!(declared, Err(ServiceRefusal::Closed));
    let start = started("code", 52);
    assert!(!accounts.start(&start).await.unwrap());

    world.one(credit(bob(), 1, "bob")).await.unwrap();
    let closed: Outcome = Err(Refusal::AccountClosed);
    for (command, refused) in [
        (credit(alice(), 1, "in"), closed.clone()),
        (debit(alice(), 1, "out"), closed.clone()),
        (transfer(bob(), alice(), 1, "t"), Err(Refusal::PayeeClosed)),
        (transfer(alice(), bob(), 1, "t"), closed.clone()),
        (mint(alice(), "m", &[1]), closed.clone()),
        (redeem(alice(), &[(1, 1)]), closed),
        (open("alice", 9), Err(Refusal::AccountExists)),
    ] {
        assert_eq!(world.one(command.clone()).await, refused, "{command:?}");
    }
    assert_eq!(world.balances().await, [0, 1]);
}

/// An account can be opened, frozen and closed in one batch, and without a token. A later command of the batch can
/// open an account with the token that the closed one had.
pub async fn accounts_are_opened_and_closed_in_one_batch(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 0).await;
    let carol = AccountId::new(bob().get() + 1);
    let open_carol = Command::OpenAccount {
        name: "carol".parse().unwrap(),
        token_hash: None,
        password: Some(hash("first")),
        at: NOW,
    };
    let batch = [
        open_carol.clone(),
        set_status(carol, AccountStatus::Frozen),
        set_status(carol, AccountStatus::Closed),
        open_carol,
    ];
    let outcomes = world.apply(&batch).await;
    assert_eq!(outcomes[0], new(Effect::AccountOpened(carol)));
    assert_eq!(outcomes[2], new(Effect::AccountStatusSet));
    assert_eq!(outcomes[3], Err(Refusal::AccountExists));
    assert_eq!(status(&*ledgers[1], "carol").await, AccountStatus::Closed);

    let dave = AccountId::new(carol.get() + 1);
    let batch = [set_to(AccountStatus::Closed), open("dave", 1)];
    let outcomes = world.apply(&batch).await;
    assert_eq!(outcomes[0], new(Effect::AccountStatusSet));
    assert_eq!(outcomes[1], new(Effect::AccountOpened(dave)));
    let bearer = ledgers[1].accounts().bearer(&token(1), NOW).await.unwrap();
    assert_eq!(bearer.unwrap().account, dave);
}

/// Payments at the same time as the closing: the account is closed empty, or stays open.
pub async fn an_account_is_closed_while_it_is_paid(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 0).await;
    world.one(credit(bob(), 20, "bob")).await.unwrap();
    let tasks = (0..20_u64).map(|number| {
        let ledger = std::sync::Arc::clone(&ledgers[(number % 2) as usize]);
        tokio::spawn(async move {
            let command = match number % 4 {
                0 => set_to(AccountStatus::Closed),
                1 => transfer(bob(), alice(), 1, &format!("in-{number}")),
                2 => transfer(alice(), bob(), 1, &format!("out-{number}")),
                _ => payout(alice(), 1, &format!("payout-{number}")),
            };
            ledger.apply(&[command]).await.unwrap();
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    // `assert_books_hold` checks that a closed account is empty.
    let balance = world.balances().await[0];
    assert!(status(&*ledgers[0], "alice").await == AccountStatus::Open || balance == 0);
}

fn started(code: &str, session: u8) -> Start {
    Start {
        account: alice(),
        code: hash(code),
        password: hash("chosen"),
        token: token(session),
        at: NOW,
        expires: time(1000),
    }
}

/// A request that was let in with a token makes no access after the token was replaced or its session has ended: what it
/// makes would stay.
pub async fn a_token_that_has_ended_makes_no_lasting_access(ledgers: &Pair) {
    World::with_paid_in(ledgers, 0).await;
    let [accounts, others] = [ledgers[0].accounts(), ledgers[1].accounts()];
    accounts.declare_service(&service(60)).await.unwrap().unwrap();
    let by_session = NewService {
        by: token(70),
        ..service(61)
    };
    assert_eq!(
        accounts.declare_service(&by_session).await.unwrap(),
        Err(ServiceRefusal::NotHolder)
    );
    let first = hash("first");
    let operator = PasswordSetter::Operator(action(ActionKind::SetPassword, "alice"));
    assert!(accounts.set_password(alice(), &first, operator).await.unwrap());
    let session = NewSession {
        account: alice(),
        login: Login::Password(first.clone()),
        token: token(70),
        at: NOW,
        expires: time(1000),
    };
    assert!(accounts.open_session(&session).await.unwrap());
    accounts.declare_service(&by_session).await.unwrap().unwrap();

    let replaced = action(ActionKind::ReplaceToken, "alice");
    assert!(others.set_token(alice(), &token(71), &replaced).await.unwrap());
    let late = service(62);
    assert_eq!(
        accounts.declare_service(&late).await.unwrap(),
        Err(ServiceRefusal::NotHolder)
    );
    let id = service(60).id;
    let rotate = async |by: TokenHash| {
        let new = token(80);
        let rotated = accounts.rotate_service(alice(), &id, (&new, &by), NOW);
        rotated.await.unwrap()
    };
    assert!(!rotate(own_token(alice())).await);
    let setter = PasswordSetter::Holder {
        before: Some(first),
        by: own_token(alice()),
    };
    assert!(
        !accounts
            .set_password(alice(), &hash("thief"), setter)
            .await
            .unwrap()
    );
    assert!(others.end_session(&token(70)).await.unwrap());
    let late = NewService {
        by: token(70),
        ..service(63)
    };
    assert_eq!(
        accounts.declare_service(&late).await.unwrap(),
        Err(ServiceRefusal::NotHolder)
    );
    assert!(rotate(token(71)).await, "the new token is good");
}

/// Whatever replaces the access to an account ends a start code, which would be another way in.
pub async fn a_start_code_ends_with_another_reset(ledgers: &Pair) {
    World::with_paid_in(ledgers, 0).await;
    let [accounts, others] = [ledgers[0].accounts(), ledgers[1].accounts()];
    let issue = async || {
        let issued = action(ActionKind::IssueStartCode, "alice");
        let code = hash("code");
        let kept = accounts.set_start_code(alice(), &code, time(1000), &issued);
        assert!(kept.await.unwrap());
    };
    let has_ended = async || {
        assert_eq!(others.start_code(alice(), NOW).await.unwrap(), None);
        assert!(!others.start(&started("code", 60)).await.unwrap());
    };
    issue().await;
    let operator = PasswordSetter::Operator(action(ActionKind::SetPassword, "alice"));
    assert!(
        accounts
            .set_password(alice(), &hash("first"), operator)
            .await
            .unwrap()
    );
    has_ended().await;

    issue().await;
    let holder = |before: &str| PasswordSetter::Holder {
        before: Some(hash(before)),
        by: own_token(alice()),
    };
    assert!(
        !accounts
            .set_password(alice(), &hash("other"), holder("wrong"))
            .await
            .unwrap()
    );
    assert!(
        others.start_code(alice(), NOW).await.unwrap().is_some(),
        "nothing was changed"
    );
    assert!(
        accounts
            .set_password(alice(), &hash("other"), holder("first"))
            .await
            .unwrap()
    );
    has_ended().await;

    issue().await;
    let replaced = action(ActionKind::ReplaceToken, "alice");
    assert!(accounts.set_token(alice(), &token(61), &replaced).await.unwrap());
    has_ended().await;
}

/// A start code sets a password and opens a session, once, until it expires or is replaced.
pub async fn a_start_code_is_used_once(ledgers: &Pair) {
    World::with_paid_in(ledgers, 0).await;
    let [accounts, others] = [ledgers[0].accounts(), ledgers[1].accounts()];
    let issue = async |code: &str, expires: i64| {
        let issued: Action = action(ActionKind::IssueStartCode, "alice");
        let code: StartCodeHash = hash(code);
        assert!(
            accounts
                .set_start_code(alice(), &code, time(expires), &issued)
                .await
                .unwrap()
        );
    };
    assert_eq!(others.start_code(alice(), NOW).await.unwrap(), None);
    issue("first", 1000).await;
    issue("second", 1000).await;
    assert_eq!(
        others.start_code(alice(), NOW).await.unwrap(),
        Some(hash("second"))
    );
    assert_eq!(others.start_code(alice(), time(1000)).await.unwrap(), None);
    assert!(!accounts.start(&started("first", 50)).await.unwrap());

    let (one, other) = (started("second", 51), started("second", 52));
    let (one, other) = tokio::join!(accounts.start(&one), others.start(&other));
    assert!(one.unwrap() != other.unwrap(), "one of them has used it");
    let sessions = [51, 52].map(token);
    let mut open = 0;
    for session in sessions {
        open += usize::from(accounts.bearer(&session, NOW).await.unwrap().is_some());
    }
    assert_eq!(open, 1);
    assert_eq!(others.start_code(alice(), NOW).await.unwrap(), None);
    let profile = accounts.profile_by_id(alice()).await.unwrap().unwrap();
    assert_eq!(profile.password, Some(hash("chosen")));

    issue("late", NOW.unix_micros()).await;
    assert!(!accounts.start(&started("late", 53)).await.unwrap());
    issue("third", 1000).await;
    assert!(accounts.start(&started("third", 54)).await.unwrap());
    for session in sessions {
        assert_eq!(
            accounts.bearer(&session, NOW).await.unwrap(),
            None,
            "earlier sessions have ended"
        );
    }
    issue("tidied", 200).await;
    accounts.tidy(time(200)).await.unwrap();
    assert_eq!(accounts.start_code(alice(), NOW).await.unwrap(), None);
}

/// What an operator removes is recorded, and a repetition is not.
pub async fn a_service_that_an_operator_removes_is_recorded(ledgers: &Pair) {
    World::with_paid_in(ledgers, 0).await;
    let accounts = ledgers[0].accounts();
    accounts.declare_service(&service(60)).await.unwrap().unwrap();
    let (id, removed) = (service(60).id, action(ActionKind::RemoveService, "alice"));
    assert!(
        accounts
            .remove_service(alice(), &id, Some(&removed))
            .await
            .unwrap()
    );
    assert!(
        !accounts
            .remove_service(alice(), &id, Some(&removed))
            .await
            .unwrap()
    );
    let frozen = OperatorCommand {
        command: set_to(AccountStatus::Frozen),
        action: action(ActionKind::FreezeAccount, "alice"),
        consent: Consent::NotNeeded,
    };
    for _ in 0..2 {
        ledgers[1]
            .apply_for_operator(std::slice::from_ref(&frozen))
            .await
            .unwrap();
    }
    let operators = ledgers[1].operators();
    let actions = operators.actions(ActionFilter::All, None, 10).await.unwrap();
    let kinds: Vec<&str> = actions.iter().map(|action| &*action.kind).collect();
    assert_eq!(kinds, ["freeze-account", "remove-service"]);
}
