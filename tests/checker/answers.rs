//! Which answers of a real Prometheus pass, fail, or say nothing?

use crate::rig::Rig;

#[tokio::test]
async fn does_each_answer_of_a_real_prometheus_mean_what_it_should() {
    let rig = Rig::start().await;
    for (query, limits, code, words) in [
        (
            "ratio{app=\"hello\"}",
            &["--max", "0.01"][..],
            0,
            "the query answered 0.005, which max 0.01 allows",
        ),
        ("ratio{app=\"hello\"}", &["--max", "0.005"], 0, "answered 0.005"),
        ("ratio{app=\"other\"}", &["--max", "0.01"], 1, "the query answered 0.5, more than max 0.01"),
        ("-ratio{app=\"other\"}", &["--min", "-0.1"], 1, "the query answered -0.5, less than min -0.1"),
        ("sum(rate(absent[1m])) or vector(0)", &["--max", "0"], 0, "answered 0"),
        ("scalar(zero) + 0.3", &["--min", "0.3", "--max", "0.3"], 0, "answered 0.3"),
        ("ratio{tag=\"$(BLUEGREEN_TAG)\"}", &["--max", "1"], 0, "answered 0.005"),
        ("ratio{tag='$(BLUEGREEN_TAG)'}", &["--max", "1"], 0, "answered 0.005"),
        ("absent", &["--max", "1"], 75, "found no series"),
        ("ratio", &["--max", "1"], 75, "found 2 series"),
        ("zero / zero", &["--max", "1"], 75, "answered NaN"),
        ("1 / zero", &["--max", "1"], 75, "answered +Inf"),
        ("-1 / zero", &["--min", "1"], 75, "answered -Inf"),
        ("ratio[1m]", &["--max", "1"], 75, "answers a matrix"),
        ("\"text\"", &["--max", "1"], 75, "answers a string"),
        ("sum(", &["--max", "1"], 75, "answered 400: bad_data: "),
        ("zero * on() ratio", &["--max", "1"], 75, "answered 422: execution: "),
        ("$(BLUEGREEN_NONE)", &["--max", "1"], 75, "can't run: --query names $(BLUEGREEN_NONE)"),
    ] {
        rig.check(query, limits).await.is(code, words);
    }
}

#[tokio::test]
async fn is_a_value_with_quotes_only_a_value_to_a_real_prometheus() {
    let rig = Rig::start().await;
    let hostile = "v2\"} or vector(0) or ratio{tag='`v1`\\";
    let address = rig.address();
    // The series exists: each way of writing the string finds it, and nothing else.
    let label = hostile.replace('\\', "\\\\").replace('"', "\\\"");
    rig.set(&format!("strange{{tag=\"{label}\"}} 7\nratio 0.505\n"), "sum(strange)", "7").await;
    for query in ["strange{tag=\"$(BLUEGREEN_TAG)\"}", "strange{tag='$(BLUEGREEN_TAG)'}"] {
        let flags = ["prometheus", "--address", &address, "--query", query, "--min", "7", "--max", "7"];
        crate::program::check(&flags, &[("BLUEGREEN_TAG", hostile)]).await.is(0, "answered 7");
    }
    let flags =
        ["prometheus", "--address", &address, "--query", "strange{tag=`$(BLUEGREEN_TAG)`}", "--max", "7"];
    crate::program::check(&flags, &[("BLUEGREEN_TAG", hostile)]).await.is(75, "found no series");
}

#[tokio::test]
async fn is_the_certificate_of_a_real_prometheus_checked() {
    let rig = Rig::start_tls().await;
    let (query, ca) = ("sum(ratio)", rig.ca());
    rig.check(query, &["--max", "1", "--ca-file", &ca]).await.is(0, "answered 0.505");
    rig.check(query, &["--max", "1"]).await.is(75, "check `ca`");
    let plain = rig.address().replace("https", "http");
    let flags = ["prometheus", "--address", &plain, "--query", query, "--max", "1"];
    crate::program::check(&flags, &[]).await.is(75, "answered 400");
    let other = rig.address().replace("localhost", "127.0.0.1");
    let flags = ["prometheus", "--address", &other, "--query", query, "--max", "1", "--ca-file", &ca];
    crate::program::check(&flags, &[]).await.is(75, "certificate not valid for name");
}
