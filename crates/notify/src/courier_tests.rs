//! With a real receiver on loopback.

use std::sync::Mutex;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::*;
use crate::samples::switched;

const PATIENCE: Duration = Duration::from_secs(60);

/// Reads a whole request: its head and body.
async fn request<S: tokio::io::AsyncRead + Unpin>(stream: &mut S) -> String {
    let mut text = Vec::new();
    loop {
        let mut part = [0; 4096];
        let read = stream.read(&mut part).await.unwrap_or(0);
        text.extend(part.iter().take(read));
        let so_far = String::from_utf8_lossy(&text).into_owned();
        let length = so_far
            .to_lowercase()
            .split("content-length: ")
            .nth(1)
            .and_then(|rest| rest.split("\r\n").next().and_then(|number| number.parse::<usize>().ok()));
        let is_whole = so_far.split_once("\r\n\r\n").is_some_and(|(_, body)| Some(body.len()) >= length);
        if is_whole || read == 0 {
            return so_far;
        }
    }
}

/// Answers each connection with the next of these; an empty one is a connection that ends without an answer.
fn serve(listener: TcpListener, answers: Vec<&'static str>) -> (Arc<Mutex<Vec<String>>>, JoinSet<()>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let (into, mut serving) = (heard.clone(), JoinSet::new());
    serving.spawn(async move {
        for index in 0.. {
            let (mut stream, _): (TcpStream, _) = listener.accept().await.unwrap();
            let text = request(&mut stream).await;
            into.lock().unwrap().push(text);
            let answer = answers.get(index).or(answers.last()).unwrap();
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (heard, serving)
}

fn answer(status: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n")
}

fn couriers(url: &str, more: &str, limits: Limits) -> (Couriers, Counts, CancellationToken) {
    let config = format!("receivers: [{{name: r, type: webhook, url: '{url}', {more}}}]");
    let (counts, stop) = (Counts::new().unwrap(), CancellationToken::new());
    let couriers = Couriers::start(Config::parse(&config).unwrap(), limits, &counts, &stop).unwrap();
    (couriers, counts, stop)
}

const LIMITS: Limits = Limits { queue: 3, keep: Duration::from_secs(600), request: Duration::from_secs(2) };

/// Waits until so many messages have ended.
async fn ended(counts: &Counts, wanted: u64) {
    let all = || Fate::ALL.into_iter().map(|fate| counts.count("r", fate)).sum::<u64>();
    let waiting = async {
        while all() < wanted {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap();
}

fn numbered(number: i64) -> Transition {
    Transition { id: format!("id-{number}"), ..switched() }
}

#[tokio::test]
async fn what_may_have_arrived_is_sent_once_and_what_has_not_is_sent_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (ok, error) = (answer("200 OK").leak(), answer("500 Internal Server Error").leak());
    let busy = "HTTP/1.1 429 Too Many Requests\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n";
    let (heard, _serving) = serve(listener, vec![ok, error, "", busy, ok, answer("404 Not Found").leak()]);
    let (couriers, counts, _stop) = couriers(&url, "token: s3cret", Limits { queue: 10, ..LIMITS });
    (1..=5).for_each(|number| couriers.tell(&numbered(number)));
    ended(&counts, 5).await;
    let heard = heard.lock().unwrap().clone();
    let ids: Vec<_> =
        heard.iter().map(|text| text.split("\"id\":\"").nth(1).unwrap().split('"').next().unwrap()).collect();
    assert_eq!(ids, ["id-1", "id-2", "id-3", "id-4", "id-4", "id-5"]);
    let found = Fate::ALL.map(|fate| counts.count("r", fate));
    assert_eq!(found, [2, 1, 2, 0, 0, 0], "told, refused, unknown, dropped, expired, inexpressible");
    assert!(
        heard[0].starts_with("POST / HTTP/1.1\r\n") && heard[0].contains("Bearer s3cret"),
        "{}",
        heard[0]
    );
    let metrics = prometheus::TextEncoder::new().encode_to_string(&counts.registry().gather()).unwrap();
    assert!(
        metrics.contains(r#"bluegreen_notify_messages_total{receiver="r",result="unknown"} 2"#),
        "{metrics}"
    );
}

#[tokio::test]
async fn an_answer_that_never_comes_is_unknown() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut serving = JoinSet::new();
    let taken = Arc::new(Mutex::new(0));
    let count = taken.clone();
    serving.spawn(async move {
        let mut kept = Vec::new();
        loop {
            kept.push(listener.accept().await.unwrap());
            *count.lock().unwrap() += 1;
        }
    });
    let limits = Limits { request: Duration::from_millis(200), ..LIMITS };
    let (couriers, counts, _stop) = couriers(&url, "", limits);
    couriers.tell(&numbered(1));
    ended(&counts, 1).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!((counts.count("r", Fate::Unknown), *taken.lock().unwrap()), (1, 1));
}

#[tokio::test]
async fn a_receiver_that_is_gone_gets_the_newest_when_it_comes_back() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let (couriers, counts, stop) = couriers(&format!("http://{address}"), "", LIMITS);
    couriers.tell(&numbered(1));
    // The first one is being tried; of the others the oldest give way.
    while couriers.couriers[0].queue.len() > 0 {
        tokio::task::yield_now().await;
    }
    (2..=6).for_each(|number| couriers.tell(&numbered(number)));
    assert_eq!(counts.count("r", Fate::Dropped), 2);
    let (heard, _serving) =
        serve(TcpListener::bind(address).await.unwrap(), vec![answer("204 No Content").leak()]);
    ended(&counts, 6).await;
    let has = |text: &String| (1..=6).find(|number| text.contains(&format!("id-{number}"))).unwrap();
    let numbers: Vec<_> = heard.lock().unwrap().iter().map(has).collect();
    assert_eq!(numbers, [1, 4, 5, 6]);
    stop.cancel();
    couriers.end().await.unwrap();
}

#[tokio::test]
async fn what_waits_when_the_process_ends_is_dropped_and_counted() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let (couriers, counts, stop) = couriers(&format!("http://{address}"), "", LIMITS);
    (1..=3).for_each(|number| couriers.tell(&numbered(number)));
    stop.cancel();
    tokio::time::timeout(PATIENCE, couriers.end()).await.unwrap().unwrap();
    assert_eq!(counts.count("r", Fate::Dropped), 3);
}

#[tokio::test]
async fn what_has_waited_for_too_long_expires() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let limits = Limits { keep: Duration::from_millis(1500), ..LIMITS };
    let (couriers, counts, _stop) = couriers(&format!("http://{address}"), "", limits);
    (1..=2).for_each(|number| couriers.tell(&numbered(number)));
    ended(&counts, 2).await;
    assert_eq!(counts.count("r", Fate::Expired), 2);
}

/// Seconds of the largest number there is, added to any age, are more than a `Duration` holds.
#[tokio::test]
async fn a_receiver_that_asks_for_an_endless_pause_is_told_the_next_message() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let never = format!("HTTP/1.1 429 Busy\r\nretry-after: {}\r\ncontent-length: 0\r\n\r\n", u64::MAX);
    // The second one has an age of a second: without it, the sum just fits.
    let busy = "HTTP/1.1 429 Busy\r\ncontent-length: 0\r\n\r\n";
    let (heard, _serving) = serve(listener, vec![busy, never.leak(), answer("200 OK").leak()]);
    let (couriers, counts, stop) = couriers(&url, "", LIMITS);
    (1..=2).for_each(|number| couriers.tell(&numbered(number)));
    ended(&counts, 2).await;
    assert_eq!((counts.count("r", Fate::Expired), counts.count("r", Fate::Told)), (1, 1));
    assert_eq!(heard.lock().unwrap().len(), 3);
    assert!(!stop.is_cancelled());
}

#[tokio::test]
async fn a_courier_that_panics_ends_the_process_and_says_so() {
    let (mut couriers, _counts, stop) = couriers("http://127.0.0.1:1", "", LIMITS);
    spawn(&mut couriers.running, &stop, async { panic!("a mistake of ours") });
    tokio::time::timeout(PATIENCE, stop.cancelled()).await.unwrap();
    let words = couriers.end().await.unwrap_err();
    assert!(words.contains("telling a receiver ended"), "{words}");
}

/// One that hangs makes the next ones wait. They are not even sent then.
#[tokio::test]
async fn what_has_waited_behind_another_for_too_long_is_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let connections = Arc::new(Mutex::new(Vec::new()));
    let (taken, mut serving) = (connections.clone(), JoinSet::new());
    serving.spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            taken.lock().unwrap().push(stream);
        }
    });
    let limits = Limits { keep: Duration::from_millis(200), request: Duration::from_millis(600), ..LIMITS };
    let (couriers, counts, _stop) = couriers(&url, "", limits);
    (1..=3).for_each(|number| couriers.tell(&numbered(number)));
    ended(&counts, 3).await;
    assert_eq!((counts.count("r", Fate::Unknown), counts.count("r", Fate::Expired)), (1, 2));
    assert_eq!(connections.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_receiver_is_told_only_what_its_filter_accepts() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (heard, _serving) = serve(listener, vec![answer("200 OK").leak()]);
    let (couriers, counts, _stop) = couriers(&url, "kinds: [Stalled]", LIMITS);
    couriers.tell(&numbered(1));
    couriers.tell(&Transition { kind: crate::Kind::Stalled, ..numbered(2) });
    ended(&counts, 1).await;
    let heard = heard.lock().unwrap().clone();
    assert!(heard.len() == 1 && heard[0].contains("id-2"), "{heard:?}");
}

#[tokio::test]
async fn tls_needs_a_certificate_that_the_configuration_trusts() {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(own.signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            request(&mut stream).await;
            let _ = stream.write_all(answer("200 OK").as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    let limits = Limits { keep: Duration::from_millis(500), ..LIMITS };
    let (stranger, refused, _one) = couriers(&url, "", limits);
    stranger.tell(&numbered(1));
    ended(&refused, 1).await;
    assert_eq!(refused.count("r", Fate::Expired), 1, "nothing is sent to whom nobody vouches for");
    let ca = serde_json::to_string(&own.cert.pem()).unwrap();
    let (friend, counts, _other) = couriers(&url, &format!("ca: {ca}"), LIMITS);
    friend.tell(&numbered(2));
    ended(&counts, 1).await;
    assert_eq!(counts.count("r", Fate::Told), 1);
}
