//! Audits that operators start, and the overview of what needs a person.

use opencoin_config::AccountsConfig;
use opencoin_issuer::AdminScope;
use opencoin_ledger::{Amount, Ledger, LedgerTime, MintKeyId, MintKeyTerms, register_uncertified_mint_key};
use serde_json::{Value, json};

use crate::world::World;

const AUDIT: &str = "/v1/admin/audit";

/// The state when no audit runs any more.
async fn ended(world: &World) -> Value {
    loop {
        let state = world.admin_get(AUDIT).await.with(200);
        if state.get("running").is_none() {
            return state["last"].clone();
        }
        tokio::task::yield_now().await;
    }
}

async fn audited(world: &World) -> Value {
    world.admin_post(AUDIT, Value::Null).await.with(202);
    ended(world).await
}

/// The kinds of recorded actions of audits, oldest first.
async fn recorded(world: &World) -> Vec<Value> {
    let actions = world.admin_get("/v1/admin/actions?subject=audit").await.with(200);
    let actions = actions["actions"].as_array().unwrap();
    actions
        .iter()
        .rev()
        .map(|action| json!([action["operator"], action["kind"]]))
        .collect()
}

#[tokio::test]
async fn one_audit_runs_while_the_issuer_works_and_others_see_how_it_ended() {
    let world = World::new().await;
    assert_eq!(world.admin_get(AUDIT).await.with(200), json!({}));
    let keeper = world.operator_with("keeper", &[AdminScope::Keys]);
    world.door.close();
    let started = world.post(AUDIT, &keeper, Value::Null).await.with(202);
    assert_eq!(started["running"]["operator"], "keeper");
    let again = world.admin_post(AUDIT, Value::Null).await.with(202);
    assert_eq!(again, started);
    let alice = world.open("alice", 50).await;
    assert_eq!(world.balance(&alice).await, 50);
    world.door.let_in();

    let last = ended(&world).await;
    assert_eq!([&last["outcome"], &last["operator"]], ["holds", "keeper"]);
    let checks = last["checks"].as_array().unwrap();
    assert!(checks.len() > 10, "{checks:?}");
    assert!(checks.iter().all(|check| check["holds"] == true), "{checks:?}");
    assert_eq!(checks[0]["name"], "certificates verify");
    assert_eq!(
        recorded(&world).await,
        [json!(["keeper", "run-audit"]), json!(["keeper", "audit-holds"])]
    );

    let other = world.beside(AccountsConfig::default()).await;
    let mut seen = last.clone();
    seen["checks"] = json!([]);
    assert_eq!(other.admin_get(AUDIT).await.with(200), json!({ "last": seen }));
}

#[tokio::test]
async fn a_broken_invariant_is_named() {
    let world = World::new().await;
    let [from, to, expiry] = [0, 1, 2].map(LedgerTime::from_unix_micros);
    let terms = MintKeyTerms::new(Amount::new(5).unwrap(), from, to, expiry).unwrap();
    let foreign = register_uncertified_mint_key(MintKeyId::new([9; 20]), terms, from);
    assert!(world.ledger.apply(&[foreign]).await.unwrap()[0].is_ok());

    let last = audited(&world).await;
    assert_eq!(
        [&last["outcome"], &last["detail"]],
        ["broken", "broken: certificates verify"]
    );
    assert_eq!(last["checks"][0]["holds"], false);
    let detail = last["checks"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("has no certificate"), "{detail}");
    assert_eq!(recorded(&world).await[1], json!(["desk", "audit-broken"]));
    let overview = world.admin_get("/v1/admin/overview").await.with(200);
    assert_eq!(
        overview["audit"],
        json!({ "at": last["at"], "outcome": "broken", "broken": 1 })
    );
    // Another server knows that something is broken, and not how much.
    let other = world.beside(AccountsConfig::default()).await;
    let overview = other.admin_get("/v1/admin/overview").await.with(200);
    assert_eq!(
        overview["audit"],
        json!({ "at": last["at"], "outcome": "broken" })
    );
}

#[tokio::test]
async fn books_that_cannot_be_read_are_no_finding_and_the_next_audit_can_run() {
    let world = World::new().await;
    world.door.break_down();
    for _ in 0..2 {
        let last = audited(&world).await;
        assert_eq!(
            [&last["outcome"], &last["checks"]],
            [&json!("failed"), &json!([])]
        );
    }
    assert_eq!(recorded(&world).await.len(), 4);
}

#[tokio::test]
async fn audits_need_their_scope_and_the_overview_any() {
    let world = World::new().await;
    let reader = world.operator_with("reader", &[AdminScope::Read]);
    let cashier = world.operator_with("cashier", &[AdminScope::Cashier]);
    let keys = world.operator_with("keys", &[AdminScope::Keys]);
    for (token, read, run) in [(&reader, 200, 403), (&cashier, 403, 403), (&keys, 200, 202)] {
        assert_eq!(world.get(AUDIT, token).await.status, read);
        assert_eq!(world.post(AUDIT, token, Value::Null).await.status, run);
        world.get("/v1/admin/overview", token).await.with(200);
    }
    ended(&world).await;
}

#[tokio::test]
async fn the_overview_says_what_waits_and_since_when() {
    let world = World::new().await;
    let alice = world.open("alice", 50).await;
    let quiet = world.admin_get("/v1/admin/overview").await.with(200);
    assert_eq!(quiet["payouts"], json!({ "count": 0 }));
    assert_eq!(quiet["unmatched_lines"], json!({ "count": 0 }));
    assert_eq!(quiet["keys"]["rotations_due"], 0);
    assert_eq!(quiet["keys"]["denominations_unsigned"], 0);
    assert_eq!(
        [&quiet["signing_paused"], &quiet["waiting_mints"]],
        [&json!(false), &json!(0)]
    );
    assert!(quiet.get("audit").is_none() && quiet.get("log").is_none());

    let asked = quiet["at"].clone();
    world.request_payout(&alice, "1", 5).await.with(201);
    world.clock.forward(chrono::TimeDelta::days(1));
    world.request_payout(&alice, "2", 5).await.with(201);
    let stop = format!("/v1/admin/keys/{}/stop", world.currency.mint_key().id);
    world
        .admin_post(&stop, json!({ "reason": "stolen" }))
        .await
        .with(200);
    world
        .admin_post("/v1/admin/signing", json!({ "paused": true }))
        .await
        .with(200);
    let busy = world.admin_get("/v1/admin/overview").await.with(200);
    assert_eq!(busy["payouts"], json!({ "count": 2, "oldest_at": asked }));
    let keys = &busy["keys"];
    assert_eq!(
        [
            &keys["rotations_due"],
            &keys["denominations_unsigned"],
            &keys["stopped"]
        ],
        [1, 1, 1]
    );
    assert_eq!(keys["next_rotation_at"], busy["at"]);
    assert_eq!(busy["signing_paused"], true);
}

#[tokio::test]
async fn samples_have_what_happened_in_each_step_and_need_any_scope() {
    let mut world = World::new().await;
    let cashier = world.operator_with("cashier", &[AdminScope::Cashier]);
    let none = world.get("/v1/admin/samples", &cashier).await.with(200);
    assert_eq!(none, json!({ "step_s": 10, "samples": [] }));
    let alice = world.open("alice", 50).await;
    world.get("/v1/account", &alice).await.with(200);
    world.request_payout(&alice, "1", 500).await.with(402);
    let blind = world.blind();
    world.mint(&alice, &blind, 1).await.with(200);
    for _ in 0..2 {
        world.clock.forward(chrono::TimeDelta::seconds(10));
        world.server.issuer().take_sample().await;
    }
    let samples = world.get("/v1/admin/samples", &cashier).await.with(200);
    let [first, second] = [0, 1].map(|place| samples["samples"][place].clone());
    assert_eq!([&first["requests"], &first["refusals"]], [3, 1]);
    assert_eq!([&second["requests"], &second["refusals"]], [0, 0]);
    assert_eq!([&first["signings"], &first["outstanding"]], [1, 5]);
    assert!(first["signing_us"].as_u64().unwrap() > 0);
    assert_eq!([&second["signings"], &second["outstanding"]], [0, 5]);
    assert!(second.get("signing_us").is_none());
    assert_eq!([&first["covered_ms"], &second["covered_ms"]], [10_000, 10_000]);
    let merged = world
        .get("/v1/admin/samples?minutes=1440&step_s=3600", &cashier)
        .await
        .with(200);
    let steps = merged["samples"].as_array().unwrap();
    let requests: u64 = steps.iter().map(|step| step["requests"].as_u64().unwrap()).sum();
    assert_eq!((steps.len(), requests), (1, 3));
    world.clock.forward(chrono::TimeDelta::minutes(2));
    let past = world.get("/v1/admin/samples?minutes=1", &cashier).await.with(200);
    assert_eq!(past["samples"], json!([]));
    for wrong in ["minutes=0", "minutes=1441", "step_s=9", "step_s=3601"] {
        let refused = world.get(&format!("/v1/admin/samples?{wrong}"), &cashier).await;
        assert_eq!(refused.status, 422, "{wrong}");
    }
    for wrong in ["minutes=x", "step=10"] {
        let refused = world.get(&format!("/v1/admin/samples?{wrong}"), &cashier).await;
        assert_eq!(refused.status, 400, "{wrong}");
    }
}
