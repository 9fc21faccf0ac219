use super::*;

fn meant(code: u16, retry_after: Option<&str>) -> Outcome {
    let now: Timestamp = "2026-01-01T10:00:00Z".parse().unwrap();
    meaning(StatusCode::from_u16(code).unwrap(), retry_after, now)
}

#[test]
fn an_answer_is_tried_again_only_if_it_says_that_nothing_was_taken() {
    for code in [200, 201, 202, 204] {
        assert_eq!(meant(code, None), Outcome::Told);
    }
    for code in [301, 302, 400, 401, 403, 404, 413, 422] {
        assert!(matches!(meant(code, Some("1")), Outcome::Refused(status) if status.as_u16() == code));
    }
    // A gateway says these, too, of a request that the server behind it has got.
    for code in [408, 500, 502, 503, 504, 599] {
        assert!(matches!(meant(code, None), Outcome::Unknown(_)), "{code}");
    }
    assert!(matches!(meant(502, Some("1")), Outcome::Unknown(_)));
    assert!(matches!(meant(429, None), Outcome::NotTaken(_, None)));
}

#[test]
fn a_receiver_says_after_how_long_it_would_take_it() {
    for (text, wanted) in [
        ("7", Some(7)),
        ("Thu, 01 Jan 2026 10:01:00 GMT", Some(60)),
        ("Thu, 01 Jan 2026 09:00:00 GMT", Some(0)),
        ("soon", None),
    ] {
        let wanted = wanted.map(Duration::from_secs);
        for code in [429, 503] {
            assert!(
                matches!(meant(code, Some(text)), Outcome::NotTaken(_, asked) if asked == wanted),
                "{code} {text}"
            );
        }
    }
}
