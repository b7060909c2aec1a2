//! The order of pieces, groups, and what a failure, a panic and a dropped caller do.

use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;

/// The group of an item is its text without digits. Texts that begin with "lone" are never grouped.
impl PoolItem for &'static str {
    const GROUP_MAX: usize = 4;

    fn joins(&self, other: &Self) -> bool {
        let name = |text: &str| text.trim_end_matches(char::is_numeric).to_owned();
        name(self) == name(other)
    }

    fn group_min(&self) -> usize {
        if self.starts_with("lone") { usize::MAX } else { 3 }
    }
}

/// A pool of one thread that records its pieces. Each piece waits until the test releases it.
struct Bench {
    pool: Pool<&'static str, String>,
    /// A message releases one piece; dropping it releases all.
    go: Sender<()>,
    /// The pieces that were started.
    begun: Receiver<Vec<&'static str>>,
}

impl Bench {
    fn new(items_queued_max: usize) -> Self {
        let (go, gate) = channel();
        let (log, begun) = channel();
        let gate = Mutex::new(gate);
        let work = move |items: &[&&'static str]| {
            let _ = log.send(items.iter().map(|item| **item).collect());
            let _ = gate.lock().unwrap().recv();
            let result = |item: &&&'static str| match **item {
                "panic" => panic!("an item that panics"),
                "fail" => Err(SignError::Failed),
                item => Ok(item.to_uppercase()),
            };
            items.iter().map(result).collect()
        };
        let pool = Pool::start("bench", vec![Box::new(work)], items_queued_max).unwrap();
        Self { pool, go, begun }
    }

    /// A bench whose thread is busy with an item, so that all later items wait.
    fn occupied(items_queued_max: usize) -> (Self, JobResult<String>) {
        let bench = Self::new(items_queued_max);
        let answer = bench.pool.submit(vec!["lone first"]).unwrap();
        assert_eq!(bench.begun.recv(), Ok(vec!["lone first"]));
        (bench, answer)
    }

    fn queue(&self, item: &'static str, count: usize) -> JobResult<String> {
        self.pool.submit(vec![item; count]).unwrap()
    }

    /// Releases all items and returns the pieces in the order in which they ran.
    fn run(self) -> Vec<Vec<&'static str>> {
        let Self { pool, go, begun } = self;
        drop(go);
        while lock(&pool.shared.queue).items > 0 {
            std::thread::yield_now();
        }
        drop(pool);
        begun.iter().collect()
    }
}

#[test]
fn the_first_piece_of_a_job_comes_before_the_later_pieces_of_others() {
    let (bench, _first) = Bench::occupied(100);
    let long = bench.queue("long", 12);
    let short = bench.queue("lone", 1);
    let other = bench.queue("other", 5);
    let order = bench.run();
    let expected = [
        vec!["long"; 4],
        vec!["lone"],
        vec!["other"; 4],
        vec!["long"; 4],
        vec!["other"],
        vec!["long"; 4],
    ];
    assert_eq!(order, expected);
    for (answer, count) in [(long, 12), (short, 1), (other, 5)] {
        assert_eq!(answer.blocking_recv().unwrap().unwrap().len(), count);
    }
}

#[test]
fn a_long_job_advances_however_many_short_ones_there_are() {
    let (bench, _first) = Bench::occupied(100);
    let _long = bench.queue("long", 12);
    let _short: Vec<_> = (0..8).map(|_| bench.queue("lone", 1)).collect();
    let order: Vec<_> = bench.run().into_iter().map(|piece| piece[0]).collect();
    let short = ["lone"; 3];
    let expected = [&["long"], &short[..], &["long"], &short, &["long"], &short[..2]].concat();
    assert_eq!(order, expected);
}

/// Jobs whose items went into the groups of others are no turns.
#[test]
fn groups_of_short_jobs_come_before_the_later_pieces_of_a_long_one() {
    let (bench, _first) = Bench::occupied(100);
    let _long = bench.queue("long", 12);
    let _short: Vec<_> = (0..16).map(|_| bench.queue("short", 1)).collect();
    let order: Vec<_> = bench.run().into_iter().map(|piece| piece[0]).collect();
    assert_eq!(
        order,
        ["long", "short", "short", "short", "long", "short", "long"]
    );
}

/// A queue for so many threads, with a long job that two of them have begun.
fn queue_with_a_long_job(threads: usize) -> (Queue<&'static str, String>, Vec<JobResult<String>>) {
    let mut queue = Queue::new(threads);
    let answers = vec![push(&mut queue, "long", 1000)];
    assert_eq!((next(&mut queue), next(&mut queue)), (Some("long"), Some("long")));
    (queue, answers)
}

fn push(queue: &mut Queue<&'static str, String>, item: &'static str, count: usize) -> JobResult<String> {
    let (sender, answer) = oneshot::channel();
    queue.push(Queued::new(vec![item; count], sender));
    answer
}

/// What a thread gets that asks for a piece.
fn next(queue: &mut Queue<&'static str, String>) -> Option<&'static str> {
    queue.take_piece().map(|(_, piece)| piece[0].job.items[0])
}

#[test]
fn while_short_jobs_come_one_thread_takes_no_later_pieces() {
    // The other two threads do a later piece each.
    let (mut queue, mut answers) = queue_with_a_long_job(3);
    answers.push(push(&mut queue, "lone", 1));
    assert_eq!(next(&mut queue), Some("lone"));
    assert_eq!(next(&mut queue), Some("long"));
    assert_eq!(next(&mut queue), None, "two threads have later pieces");
    assert!(queue.is_one_held_back && !queue.has_turn());
    answers.push(push(&mut queue, "lone", 1));
    assert_eq!(next(&mut queue), Some("lone"), "it is free for a short job");
    for _ in 0..PIECES_AFTER_SHORT_JOB {
        assert_eq!(next(&mut queue), None);
        queue.later_threads -= 1;
        assert!(queue.has_turn());
        assert_eq!(next(&mut queue), Some("long"));
    }
    assert!(queue.has_turn(), "no short job has come for some time");
    assert_eq!(next(&mut queue), Some("long"));
}

#[test]
fn without_short_jobs_all_threads_take_later_pieces() {
    let (mut queue, _answers) = queue_with_a_long_job(2);
    let _other = push(&mut queue, "other", 1000);
    let pieces: Vec<_> = (0..6).map(|_| next(&mut queue)).collect();
    assert!(pieces.iter().all(Option::is_some), "{pieces:?}");
}

#[test]
fn a_group_takes_items_of_several_jobs() {
    let (bench, _first) = Bench::occupied(100);
    let answers: Vec<_> = ["a1", "lone b", "a2", "a3"]
        .into_iter()
        .map(|item| bench.queue(item, 1))
        .collect();
    let both = bench.pool.submit(vec!["c1", "a4", "c2", "a5", "c3"]).unwrap();
    assert_eq!(
        bench.run(),
        [
            vec!["a1", "a2", "a3", "a4"],
            vec!["lone b"],
            vec!["c1", "c2", "c3"],
            vec!["a5"]
        ]
    );
    let results = answers
        .into_iter()
        .map(|answer| answer.blocking_recv().unwrap().unwrap().concat());
    assert_eq!(results.collect::<Vec<_>>(), ["A1", "LONE B", "A2", "A3"]);
    assert_eq!(
        both.blocking_recv().unwrap().unwrap(),
        ["C1", "A4", "C2", "A5", "C3"]
    );
}

#[test]
fn too_few_items_for_a_group_are_taken_one_by_one() {
    let (bench, _first) = Bench::occupied(100);
    let _few = bench.queue("few", 2);
    let _lone = bench.queue("lone", 4);
    assert_eq!(
        bench.run(),
        [["few"], ["lone"], ["few"], ["lone"], ["lone"], ["lone"]]
    );
}

#[test]
fn results_come_in_the_order_of_the_items_from_many_threads() {
    let work = |items: &[&&'static str]| {
        let result = |item: &&&'static str| {
            // Later items take less time.
            let number: u64 = item
                .trim_start_matches(|c| c != '9' && !char::is_numeric(c))
                .parse()
                .unwrap();
            std::thread::sleep(std::time::Duration::from_micros(200 - 2 * number));
            Ok(number)
        };
        items.iter().map(result).collect()
    };
    let workers = (0..4)
        .map(|_| -> Worker<&'static str, u64> { Box::new(work) })
        .collect();
    let pool = Pool::start("many", workers, 1000).unwrap();
    let items: Vec<&'static str> = (0..100)
        .map(|number| &*Box::leak(format!("{}{number}", ["x", "lone", "y"][number % 3]).into_boxed_str()))
        .collect();
    let answers: Vec<_> = (0..3).map(|_| pool.submit(items.clone()).unwrap()).collect();
    for answer in answers {
        assert_eq!(
            answer.blocking_recv().unwrap().unwrap(),
            (0..100).collect::<Vec<_>>()
        );
    }
}

#[test]
fn a_job_without_items_is_answered_at_once() {
    let (bench, _first) = Bench::occupied(1);
    assert_eq!(bench.queue("none", 0).blocking_recv(), Ok(Ok(vec![])));
    bench.run();
}

#[test]
fn a_full_queue_is_busy_until_items_are_taken() {
    let (bench, _first) = Bench::occupied(8);
    let _waiting = bench.queue("waiting", 5);
    assert!(matches!(bench.pool.submit(vec!["more"; 4]), Err(SignError::Busy)));
    let _fits = bench.queue("fits", 3);
    assert!(matches!(bench.pool.submit(vec!["more"]), Err(SignError::Busy)));
    // After the first item, the thread takes the first piece of the next job.
    bench.go.send(()).unwrap();
    assert_eq!(bench.begun.recv(), Ok(vec!["waiting"; 4]));
    let _now_fits = bench.queue("now fits", 4);
    bench.run();
}

#[test]
fn a_cancelled_job_does_not_run_and_frees_its_room() {
    let (bench, _first) = Bench::occupied(8);
    let abandoned = bench.queue("same", 8);
    drop(abandoned);
    let wanted = bench.queue("same", 8);
    assert_eq!(bench.run(), [vec!["same"; 4], vec!["same"; 4]]);
    assert!(wanted.blocking_recv().unwrap().is_ok());
}

#[test]
fn a_job_that_is_cancelled_while_it_runs_is_not_finished() {
    let (bench, _first) = Bench::occupied(100);
    let long = bench.queue("long", 12);
    bench.go.send(()).unwrap();
    assert_eq!(bench.begun.recv(), Ok(vec!["long"; 4]));
    drop(long);
    assert_eq!(bench.run().len(), 0, "only the piece under way is finished");
}

#[test]
fn a_panic_fails_only_its_own_job() {
    let (bench, _first) = Bench::occupied(100);
    let panicking = bench.queue("panic", 2);
    let sound = bench.queue("sound", 1);
    let order = bench.run();
    assert_eq!(
        order,
        [["panic"], ["sound"]],
        "the rest of the failed job is not started"
    );
    assert_eq!(panicking.blocking_recv(), Ok(Err(SignError::Failed)));
    assert_eq!(sound.blocking_recv(), Ok(Ok(vec!["SOUND".to_owned()])));
}

#[test]
fn a_panic_in_a_group_fails_only_the_job_whose_item_panics() {
    let (bench, _first) = Bench::occupied(100);
    let before = bench.queue("panic0", 1);
    let panicking = bench.queue("panic", 1);
    let after = bench.queue("panic2", 1);
    let order = bench.run();
    assert_eq!(order[0], ["panic0", "panic", "panic2"]);
    assert_eq!(order[1..], [["panic0"], ["panic"], ["panic2"]]);
    assert_eq!(before.blocking_recv(), Ok(Ok(vec!["PANIC0".to_owned()])));
    assert_eq!(panicking.blocking_recv(), Ok(Err(SignError::Failed)));
    assert_eq!(after.blocking_recv(), Ok(Ok(vec!["PANIC2".to_owned()])));
}

#[test]
fn a_failure_is_answered_once() {
    let (bench, _first) = Bench::occupied(100);
    let failing = bench.pool.submit(vec!["good", "fail", "lone"]).unwrap();
    assert_eq!(bench.run(), [["good"], ["fail"]]);
    assert_eq!(failing.blocking_recv(), Ok(Err(SignError::Failed)));
}

#[test]
fn closing_finishes_the_current_item_and_answers_all_other_callers() {
    let (bench, first) = Bench::occupied(100);
    let waiting = bench.queue("waiting", 1);
    let Bench { pool, go, begun } = bench;
    let shared = Arc::clone(&pool.shared);
    let dropping = std::thread::spawn(move || drop(pool));
    // The item is released only after the pool is closed, so the thread starts no other.
    while !lock(&shared.queue).closed {
        std::thread::yield_now();
    }
    assert!(!dropping.is_finished(), "closing waits for the current item");
    drop((go, shared));
    dropping.join().unwrap();
    assert_eq!(first.blocking_recv(), Ok(Ok(vec!["LONE FIRST".to_owned()])));
    assert!(waiting.blocking_recv().is_err());
    assert!(begun.recv().is_err(), "the waiting job was not started");
}
