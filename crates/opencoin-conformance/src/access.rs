//! Rules of the credentials that act for an account: its token, passwords, sessions and services.

use crate::Store;
use crate::world::*;
use crate::{Pair, World};
use opencoin_ledger::{
    AccountId, AccountName, AccountStatus, ActionKind, Bearer, Command, Credential, FAILED_LOGINS_KEPT_HOURS,
    FailedLogins, Login, NewService, NewSession, PasswordHash, PasswordSetter, ProfileFilter,
    SERVICES_PER_ACCOUNT_MAX, SESSIONS_MAX, Scope, ServiceId, ServiceRefusal, TokenHash,
};

/// The time at which the sessions of these tests end, in microseconds.
const END: i64 = 1000;

fn token(number: u16) -> TokenHash {
    let mut bytes = [0xaa; 32];
    bytes[..2].copy_from_slice(&number.to_be_bytes());
    TokenHash::new(bytes)
}

pub(super) fn password(text: &str) -> PasswordHash {
    PasswordHash::new(format!("$test${text}"))
}

fn name(text: &str) -> AccountName {
    text.parse().unwrap()
}

fn service_id(number: u16) -> ServiceId {
    ServiceId::new(format!("{number:032x}")).unwrap()
}

pub(super) fn by_password(number: u16, at: i64) -> NewSession {
    let login = Login::Password(password("first"));
    NewSession {
        account: alice(),
        login,
        token: token(number),
        at: time(at),
        expires: time(END),
    }
}

fn by_service(service: u16, key: u16, number: u16) -> NewSession {
    NewSession {
        login: Login::Service(service_id(service), token(key)),
        ..by_password(number, 10)
    }
}

fn service(number: u16, account: AccountId, text: &str, scopes: &[Scope]) -> NewService {
    let (id, scopes, key) = (
        service_id(number),
        scopes.iter().copied().collect(),
        token(900 + number),
    );
    NewService {
        id,
        account,
        name: name(text),
        scopes,
        key,
        by: own_token(account),
        at: time(5),
    }
}

/// Opens the accounts. Alice has the password `first`, Bob has none.
async fn begin(ledgers: &Pair) {
    World::with_paid_in(ledgers, 0).await;
    ledgers[0]
        .accounts()
        .set_password(alice(), &password("first"), by_operator())
        .await
        .unwrap();
}

async fn bearer(ledger: &dyn Store, number: u16, now: i64) -> Option<Credential> {
    let bearer = ledger.accounts().bearer(&token(number), time(now)).await.unwrap();
    bearer.map(|Bearer { account, credential }| {
        assert_eq!(account, alice());
        credential
    })
}

/// An account can be opened with a password. Opening it again with another one changes nothing.
pub async fn an_account_is_opened_with_or_without_a_password(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 7).await;
    let open = |text: &str| Command::OpenAccount {
        name: name("carol"),
        token_hash: Some(TokenHash::new([3; 32])),
        password: Some(password(text)),
        at: NOW,
    };
    assert!(!world.one(open("first")).await.unwrap().repeated);
    assert!(world.one(open("second")).await.unwrap().repeated);
    let carol = ledgers[1]
        .accounts()
        .profile(&name("carol"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (carol.password.as_ref(), carol.listed),
        (Some(&password("first")), false)
    );
    let profile = ledgers[1]
        .accounts()
        .profile(&name("alice"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((profile.account.balance, profile.password), (amount(7), None));
    assert_eq!(
        ledgers[1]
            .accounts()
            .profile_by_id(carol.account.id)
            .await
            .unwrap(),
        Some(carol)
    );
    assert_eq!(
        ledgers[1]
            .accounts()
            .profile_by_id(AccountId::new(99))
            .await
            .unwrap(),
        None
    );
    assert_eq!(ledgers[1].accounts().profile(&name("dave")).await.unwrap(), None);
}

/// Names are ordered by their bytes, whatever the collation of the database.
pub async fn accounts_are_read_in_pages_by_name(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 0).await;
    let others = ["a.b", "a-c", "a_d", "ab", "b1", "a1"];
    let commands: Vec<_> = (100..)
        .zip(others)
        .map(|(token, name)| open(name, token))
        .collect();
    world.apply(&commands).await;
    let page = async |filter, after: Option<&str>, limit| {
        let after = after.map(name);
        let profiles = ledgers[1]
            .accounts()
            .profiles(filter, after.as_ref(), limit)
            .await
            .unwrap();
        profiles
            .into_iter()
            .map(|profile| profile.account.name.as_str().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        page(ProfileFilter::All, None, 100).await,
        ["a-c", "a.b", "a1", "a_d", "ab", "alice", "b1", "bob"]
    );
    assert_eq!(
        page(ProfileFilter::All, Some("a1"), 3).await,
        ["a_d", "ab", "alice"]
    );
    assert!(page(ProfileFilter::Listed, None, 100).await.is_empty());
    for account in [alice(), bob(), AccountId::new(5)] {
        ledgers[0].accounts().set_listed(account, true).await.unwrap();
    }
    ledgers[0].accounts().set_listed(bob(), false).await.unwrap();
    assert_eq!(page(ProfileFilter::Listed, None, 100).await, ["a.b", "alice"]);
    assert_eq!(page(ProfileFilter::Listed, Some("a.b"), 100).await, ["alice"]);
    assert!(page(ProfileFilter::Frozen, None, 100).await.is_empty());
    world.one(set_status(bob(), AccountStatus::Frozen)).await.unwrap();
    assert_eq!(page(ProfileFilter::Frozen, None, 100).await, ["bob"]);
}

/// An account has one token, in every process. Sessions stay open when it is replaced.
pub async fn a_new_account_token_replaces_the_old_one(ledgers: &Pair) {
    begin(ledgers).await;
    ledgers[0]
        .accounts()
        .open_session(&by_password(1, 10))
        .await
        .unwrap();
    let first = TokenHash::new([1; 32]);
    for new in [token(700), token(701)] {
        ledgers[0]
            .accounts()
            .set_token(alice(), &new, &action(ActionKind::ReplaceToken, "alice"))
            .await
            .unwrap();
        let bearer = ledgers[1]
            .accounts()
            .bearer(&new, time(20))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            (bearer.account, bearer.credential),
            (alice(), Credential::AccountToken)
        );
    }
    for ended in [first, token(700)] {
        assert_eq!(ledgers[1].accounts().bearer(&ended, time(20)).await, Ok(None));
    }
    assert!(
        ledgers[1]
            .accounts()
            .bearer(&token(1), time(20))
            .await
            .unwrap()
            .is_some()
    );
    assert!(
        ledgers[0]
            .accounts()
            .set_token(
                AccountId::new(77),
                &token(702),
                &action(ActionKind::ReplaceToken, "x")
            )
            .await
            .is_err()
    );
    let taken = Command::OpenAccount {
        name: name("carol"),
        token_hash: Some(token(701)),
        password: None,
        at: time(20),
    };
    let refused = ledgers[1].apply(&[taken]).await.unwrap();
    assert_eq!(refused, [Err(opencoin_ledger::Refusal::TokenExists)]);
}

/// The token of an account is valid until it is replaced. The token of a session is valid until just before
/// the end of the session.
pub async fn a_session_ends_at_its_time(ledgers: &Pair) {
    begin(ledgers).await;
    let account = ledgers[1]
        .accounts()
        .bearer(&TokenHash::new([1; 32]), time(i64::MAX))
        .await
        .unwrap();
    assert_eq!(
        account,
        Some(Bearer {
            account: alice(),
            credential: Credential::AccountToken
        })
    );
    assert!(
        ledgers[0]
            .accounts()
            .open_session(&by_password(1, 10))
            .await
            .unwrap()
    );
    assert_eq!(
        bearer(&*ledgers[1], 1, END - 1).await,
        Some(Credential::PasswordSession)
    );
    assert_eq!(bearer(&*ledgers[1], 1, END).await, None);
    assert_eq!(bearer(&*ledgers[1], 2, 10).await, None);
    assert!(ledgers[0].accounts().end_session(&token(1)).await.unwrap());
    assert!(!ledgers[0].accounts().end_session(&token(1)).await.unwrap());
    assert_eq!(bearer(&*ledgers[1], 1, 11).await, None);
}

/// A session above the limit ends the oldest one. Sessions of services do not count.
pub async fn sessions_have_a_limit(ledgers: &Pair) {
    begin(ledgers).await;
    ledgers[0]
        .accounts()
        .declare_service(&service(1, alice(), "till", &[Scope::Read]))
        .await
        .unwrap()
        .unwrap();
    assert!(
        ledgers[0]
            .accounts()
            .open_session(&by_service(1, 901, 500))
            .await
            .unwrap()
    );
    let max = u16::try_from(SESSIONS_MAX).unwrap();
    for number in 0..max {
        assert!(
            ledgers[0]
                .accounts()
                .open_session(&by_password(number, i64::from(max - number)))
                .await
                .unwrap()
        );
    }
    // The session that was opened last has the oldest time, as after a clock that was behind.
    assert!(bearer(&*ledgers[1], max - 1, 10).await.is_some());
    assert!(
        ledgers[0]
            .accounts()
            .open_session(&by_password(max, 200))
            .await
            .unwrap()
    );
    assert_eq!(bearer(&*ledgers[1], max - 1, 10).await, None);
    for number in (0..max - 1).chain([max, 500]) {
        assert!(bearer(&*ledgers[1], number, 10).await.is_some(), "{number}");
    }
    // Opening a session deletes those that have expired.
    let later = NewSession {
        at: time(END),
        expires: time(END + 5),
        ..by_password(600, 0)
    };
    assert!(ledgers[0].accounts().open_session(&later).await.unwrap());
    assert_eq!(
        bearer(&*ledgers[1], 0, 10).await,
        None,
        "it was deleted with all that had expired"
    );
    assert!(bearer(&*ledgers[1], 600, END).await.is_some());
}

/// A new password ends all sessions opened with the old one, except that of the holder who changes it.
/// Sessions of services stay open.
pub async fn a_new_password_ends_sessions(ledgers: &Pair) {
    begin(ledgers).await;
    ledgers[0]
        .accounts()
        .declare_service(&service(1, alice(), "till", &[Scope::Read]))
        .await
        .unwrap()
        .unwrap();
    for session in [by_password(1, 10), by_password(2, 10), by_service(1, 901, 3)] {
        assert!(ledgers[0].accounts().open_session(&session).await.unwrap());
    }
    let first = password("first");
    let holder = PasswordSetter::Holder {
        before: Some(first),
        by: token(2),
    };
    assert!(
        ledgers[1]
            .accounts()
            .set_password(alice(), &password("second"), holder)
            .await
            .unwrap()
    );
    let open = async |number| bearer(&*ledgers[0], number, 20).await.is_some();
    assert_eq!([open(1).await, open(2).await, open(3).await], [false, true, true]);
    // A login whose old password was checked before the change comes too late.
    assert!(
        !ledgers[0]
            .accounts()
            .open_session(&by_password(4, 30))
            .await
            .unwrap()
    );
    assert_eq!(bearer(&*ledgers[1], 4, 30).await, None);
    assert!(
        ledgers[1]
            .accounts()
            .set_password(alice(), &password("third"), by_operator())
            .await
            .unwrap()
    );
    assert_eq!(
        [open(1).await, open(2).await, open(3).await],
        [false, false, true]
    );
}

/// A holder changes the password only if they gave the current one and their session is open. So they cannot
/// overwrite a password that the operator has set in the meantime.
pub async fn a_holder_needs_the_current_password_to_change_it(ledgers: &Pair) {
    begin(ledgers).await;
    assert!(
        ledgers[0]
            .accounts()
            .open_session(&by_password(1, 10))
            .await
            .unwrap()
    );
    let [first, late, operators] = ["first", "late", "operator's"].map(password);
    let [current, unknown] = [token(1), token(2)];
    let set = async |account, before: Option<&PasswordHash>, session: Option<&TokenHash>| {
        let setter = PasswordSetter::Holder {
            before: before.cloned(),
            by: session.copied().unwrap_or_else(|| own_token(account)),
        };
        ledgers[1]
            .accounts()
            .set_password(account, &late, setter)
            .await
            .unwrap()
    };
    assert!(!set(alice(), Some(&late), Some(&current)).await);
    assert!(!set(alice(), None, None).await);
    assert!(
        !set(alice(), Some(&first), Some(&unknown)).await,
        "there is no such session"
    );
    assert!(
        !set(bob(), None, Some(&current)).await,
        "the session is of another account"
    );
    assert!(
        ledgers[0]
            .accounts()
            .set_password(alice(), &operators, by_operator())
            .await
            .unwrap()
    );
    assert!(!set(alice(), Some(&first), None).await);
    assert!(
        !set(alice(), Some(&operators), Some(&current)).await,
        "the session has ended"
    );
    assert_eq!(
        ledgers[0]
            .accounts()
            .profile_by_id(alice())
            .await
            .unwrap()
            .unwrap()
            .password
            .as_ref(),
        Some(&operators)
    );
    assert!(set(bob(), None, None).await);
    assert_eq!(
        ledgers[0]
            .accounts()
            .profile_by_id(bob())
            .await
            .unwrap()
            .unwrap()
            .password
            .as_ref(),
        Some(&late)
    );
}

/// Failed logins are counted, also for names without an account. The count is cleared after a successful
/// login or after [`FAILED_LOGINS_KEPT_HOURS`].
pub async fn wrong_passwords_are_counted(ledgers: &Pair) {
    begin(ledgers).await;
    for name in [name("alice"), name("nobody")] {
        assert_eq!(
            ledgers[1].accounts().failed_logins(&name).await.unwrap(),
            FailedLogins::default()
        );
        ledgers[0].accounts().count_login(&name, time(50)).await.unwrap();
        let counted = ledgers[1].accounts().count_login(&name, time(40)).await.unwrap();
        // The time of the last call is kept, so that a clock that was ahead once locks no name.
        assert_eq!(
            counted,
            FailedLogins {
                count: 2,
                last: Some(time(40))
            }
        );
        assert_eq!(ledgers[0].accounts().failed_logins(&name).await.unwrap(), counted);
    }
    ledgers[1]
        .accounts()
        .clear_failed_logins(&name("alice"))
        .await
        .unwrap();
    assert_eq!(
        ledgers[0].accounts().failed_logins(&name("alice")).await.unwrap(),
        FailedLogins::default()
    );
    let kept = FAILED_LOGINS_KEPT_HOURS * 3_600_000_000;
    ledgers[1].accounts().tidy(time(39 + kept)).await.unwrap();
    assert_eq!(
        ledgers[0]
            .accounts()
            .failed_logins(&name("nobody"))
            .await
            .unwrap()
            .count,
        2
    );
    ledgers[1].accounts().tidy(time(40 + kept)).await.unwrap();
    assert_eq!(
        ledgers[0]
            .accounts()
            .failed_logins(&name("nobody"))
            .await
            .unwrap(),
        FailedLogins::default()
    );
}

/// Concurrent failed logins are all counted.
pub async fn wrong_passwords_at_once_are_counted(ledgers: &Pair) {
    begin(ledgers).await;
    let fail = |index: usize| {
        let ledger = std::sync::Arc::clone(&ledgers[index % 2]);
        tokio::spawn(async move {
            ledger
                .accounts()
                .count_login(&name("alice"), time(9))
                .await
                .unwrap()
                .count
        })
    };
    let tasks: Vec<_> = (0..20).map(fail).collect();
    let mut counts = Vec::new();
    for task in tasks {
        counts.push(task.await.unwrap());
    }
    counts.sort_unstable();
    assert_eq!(counts, (1..=20).collect::<Vec<_>>());
}

/// A service logs in with its own key and gets the scopes that it was declared with.
pub async fn a_service_acts_with_its_own_key(ledgers: &Pair) {
    begin(ledgers).await;
    let till = service(1, alice(), "till", &[Scope::Mint, Scope::Read]);
    assert_eq!(
        ledgers[0].accounts().declare_service(&till).await.unwrap(),
        Ok(())
    );
    assert!(
        ledgers[1]
            .accounts()
            .open_session(&by_service(1, 901, 1))
            .await
            .unwrap()
    );
    for other in [
        by_service(1, 902, 2),
        by_service(2, 901, 2),
        NewSession {
            account: bob(),
            ..by_service(1, 901, 2)
        },
    ] {
        assert!(!ledgers[1].accounts().open_session(&other).await.unwrap());
        assert_eq!(bearer(&*ledgers[1], 2, 20).await, None);
    }
    let (service, scopes) = (service_id(1), [Scope::Mint, Scope::Read].into());
    let means = |last_seen| Credential::ServiceSession {
        service: service.clone(),
        scopes: Clone::clone(&scopes),
        last_seen,
    };
    assert_eq!(bearer(&*ledgers[0], 1, 20).await, Some(means(None)));
    for now in [30, 20] {
        ledgers[0]
            .accounts()
            .saw_service(&service, time(now))
            .await
            .unwrap();
        assert_eq!(bearer(&*ledgers[1], 1, 20).await, Some(means(Some(time(30)))));
    }
    let found = ledgers[1].accounts().service(&service).await.unwrap().unwrap();
    assert_eq!(
        (found.account, found.name.as_str(), found.key),
        (alice(), "till", token(901))
    );
    assert_eq!(
        (&found.scopes, found.key_at, found.last_seen),
        (&scopes, time(5), Some(time(30)))
    );
    assert_eq!(ledgers[1].accounts().services(alice()).await.unwrap(), [found]);
    assert!(ledgers[1].accounts().services(bob()).await.unwrap().is_empty());
    assert_eq!(ledgers[1].accounts().service(&service_id(2)).await.unwrap(), None);
}

/// A new key of a service ends the old key and its sessions. Removing a service ends all its keys and
/// sessions. An account cannot change the service of another.
pub async fn services_get_new_keys_and_are_removed(ledgers: &Pair) {
    begin(ledgers).await;
    for number in [1, 2] {
        let service = service(number, alice(), &format!("service-{number}"), &[Scope::Read]);
        ledgers[0]
            .accounts()
            .declare_service(&service)
            .await
            .unwrap()
            .unwrap();
        assert!(
            ledgers[0]
                .accounts()
                .open_session(&by_service(number, 900 + number, number))
                .await
                .unwrap()
        );
    }
    let open = async |number| bearer(&*ledgers[0], number, 20).await.is_some();
    assert!(
        !ledgers[1]
            .accounts()
            .rotate_service(bob(), &service_id(1), (&token(950), &own_token(bob())), time(40))
            .await
            .unwrap()
    );
    assert!(
        !ledgers[1]
            .accounts()
            .remove_service(bob(), &service_id(1), None)
            .await
            .unwrap()
    );
    assert_eq!([open(1).await, open(2).await], [true, true]);
    assert!(
        ledgers[1]
            .accounts()
            .rotate_service(
                alice(),
                &service_id(1),
                (&token(950), &own_token(alice())),
                time(40)
            )
            .await
            .unwrap()
    );
    assert_eq!([open(1).await, open(2).await], [false, true]);
    assert!(
        !ledgers[1]
            .accounts()
            .open_session(&by_service(1, 901, 3))
            .await
            .unwrap()
    );
    assert!(
        ledgers[1]
            .accounts()
            .open_session(&by_service(1, 950, 3))
            .await
            .unwrap()
    );
    let rotated = ledgers[0]
        .accounts()
        .service(&service_id(1))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((rotated.key, rotated.key_at), (token(950), time(40)));
    // A service replaces its own key, if it knows it, and may repeat that.
    let replace = async |before, key| {
        let accounts = ledgers[0].accounts();
        accounts
            .replace_service_key(&service_id(1), &token(before), &token(key), time(41))
            .await
            .unwrap()
    };
    assert!(!replace(901, 951).await);
    assert_eq!([replace(950, 951).await, open(3).await], [true, false]);
    assert!(
        ledgers[1]
            .accounts()
            .open_session(&by_service(1, 951, 4))
            .await
            .unwrap()
    );
    assert_eq!([replace(950, 951).await, open(4).await], [true, true]);
    assert!(!replace(950, 952).await);
    assert!(
        ledgers[1]
            .accounts()
            .remove_service(alice(), &service_id(1), None)
            .await
            .unwrap()
    );
    assert!(
        !ledgers[1]
            .accounts()
            .remove_service(alice(), &service_id(1), None)
            .await
            .unwrap()
    );
    assert_eq!([open(3).await, open(2).await], [false, true]);
    assert!(
        !ledgers[1]
            .accounts()
            .open_session(&by_service(1, 950, 4))
            .await
            .unwrap()
    );
}

/// Names of services are unique in an account, and their number is limited.
pub async fn services_have_a_limit(ledgers: &Pair) {
    begin(ledgers).await;
    let max = u16::try_from(SERVICES_PER_ACCOUNT_MAX).unwrap();
    for number in 0..max {
        let service = service(number, alice(), &format!("s-{number}"), &[]);
        assert_eq!(
            ledgers[usize::from(number % 2)]
                .accounts()
                .declare_service(&service)
                .await
                .unwrap(),
            Ok(())
        );
    }
    let declare = async |service: NewService| ledgers[0].accounts().declare_service(&service).await.unwrap();
    assert_eq!(
        declare(service(max, alice(), "s-7", &[])).await,
        Err(ServiceRefusal::Exists)
    );
    assert_eq!(
        declare(service(max, alice(), "another", &[])).await,
        Err(ServiceRefusal::TooMany)
    );
    assert_eq!(declare(service(max, bob(), "s-7", &[])).await, Ok(()));
    let services = ledgers[1].accounts().services(alice()).await.unwrap();
    assert!(
        services.len() == SERVICES_PER_ACCOUNT_MAX
            && services.is_sorted_by_key(|service| service.name.clone())
    );
}
