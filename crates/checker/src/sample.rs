//! One number out of the answer of Prometheus' API.
//!
//! Whatever is not exactly one number says nothing about the app: no series may mean that nothing is scraped, several that the
//! query is not what its author meant, NaN that there were no requests, and a warning that a part of the data was missing.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// <https://prometheus.io/docs/prometheus/latest/querying/api/#format-overview>
#[derive(Deserialize)]
struct Envelope<'a> {
    status: String,
    #[serde(borrow)]
    data: Option<Data<'a>>,
    #[serde(rename = "errorType", default)]
    error_type: String,
    #[serde(default)]
    error: String,
    #[serde(default)]
    warnings: Vec<String>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(rename = "resultType")]
    result_type: String,
    // Read when its type is known: series that nobody needs then take no memory.
    #[serde(borrow)]
    result: &'a RawValue,
}

/// Time and value.
type Point = (IgnoredAny, String);

#[derive(Deserialize)]
struct Series {
    value: Option<Point>,
}

/// The number in an answer with the status 200.
///
/// # Errors
/// There is not exactly one number; says what there is, and what to do.
pub fn number(body: &[u8]) -> Result<f64, String> {
    let unreadable = |error: serde_json::Error| format!("the answer is not that of Prometheus' API: {error}");
    let envelope: Envelope<'_> = serde_json::from_slice(body).map_err(unreadable)?;
    if envelope.status != "success" {
        return Err(format!("answered {}: {}: {}", envelope.status, envelope.error_type, envelope.error));
    }
    if let Some(warning) = envelope.warnings.first() {
        return Err(format!("the answer has a warning, so it may be incomplete: {warning}"));
    }
    let data = envelope.data.ok_or("the answer has no data")?;
    let value = match data.result_type.as_str() {
        "scalar" => serde_json::from_str::<Point>(data.result.get()).map_err(unreadable)?.1,
        "vector" => only(serde_json::from_str(data.result.get()).map_err(unreadable)?)?,
        other => return Err(format!("the query answers a {other}, and must answer one number")),
    };
    let number = value.parse::<f64>().map_err(|_| format!("the value {value:?} is not a number"))?;
    if number.is_finite() {
        Ok(number)
    } else {
        Err(format!(
            "the query answered {value}, which is what a division by 0 gives, for example without traffic"
        ))
    }
}

fn only(series: Vec<Series>) -> Result<String, String> {
    match <[Series; 1]>::try_from(series) {
        Ok([series]) => {
            Ok(series.value.ok_or("the query answers a histogram, and must answer one number")?.1)
        }
        Err(none) if none.is_empty() => {
            Err("the query found no series; check its names and labels, and that the app is scraped"
                .to_owned())
        }
        Err(several) => Err(format!(
            "the query found {} series instead of one; aggregate them, for example with sum()",
            several.len()
        )),
    }
}

/// The error in an answer with another status, if it is from Prometheus' API.
pub fn error(body: &[u8]) -> Option<String> {
    let envelope: Envelope<'_> = serde_json::from_slice(body).ok()?;
    (envelope.status == "error").then(|| format!("{}: {}", envelope.error_type, envelope.error))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn vector(result: &str) -> Result<f64, String> {
        number(
            format!(r#"{{"status":"success","data":{{"resultType":"vector","result":{result}}}}}"#)
                .as_bytes(),
        )
    }

    #[test]
    fn one_number_is_taken_from_a_vector_or_a_scalar() {
        assert_eq!(vector(r#"[{"metric":{"a":"b"},"value":[1.5,"0.01"]}]"#), Ok(0.01));
        assert_eq!(vector(r#"[{"metric":{},"value":[1,"-1e-05"]}]"#), Ok(-0.00001));
        let scalar =
            br#"{"data":{"result":[1.5,"3"],"resultType":"scalar"},"infos":["x"],"status":"success"}"#;
        assert_eq!(number(scalar), Ok(3.0));
    }

    #[test]
    fn anything_else_is_no_number() {
        for (result, words) in [
            ("[]", "found no series"),
            (r#"[{"metric":{},"value":[1,"1"]},{"metric":{},"value":[1,"1"]}]"#, "found 2 series"),
            (r#"[{"metric":{},"value":[1,"NaN"]}]"#, "answered NaN"),
            (r#"[{"metric":{},"value":[1,"+Inf"]}]"#, "answered +Inf"),
            (r#"[{"metric":{},"value":[1,"-Inf"]}]"#, "answered -Inf"),
            (r#"[{"metric":{},"value":[1,"1,5"]}]"#, "not a number"),
            (r#"[{"metric":{},"histogram":[1,{"count":"1","sum":"1"}]}]"#, "a histogram"),
            (r#"{"a":1}"#, "not that of Prometheus"),
        ] {
            let error = vector(result).unwrap_err();
            assert!(error.contains(words), "{result}: {error}");
        }
        for (body, words) in [
            (r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#, "answers a matrix"),
            (r#"{"status":"success","data":{"resultType":"string","result":[1,"1"]}}"#, "answers a string"),
            (r#"{"status":"success"}"#, "no data"),
            (r#"{"status":"error","errorType":"execution","error":"boom"}"#, "execution: boom"),
            ("<html>", "not that of Prometheus"),
            ("", "not that of Prometheus"),
        ] {
            let error = number(body.as_bytes()).unwrap_err();
            assert!(error.contains(words), "{body}: {error}");
        }
    }

    #[test]
    fn an_answer_with_a_warning_may_lack_data() {
        let body = br#"{"status":"success","warnings":["store 3 did not answer"],
            "data":{"resultType":"vector","result":[{"metric":{},"value":[1,"0"]}]}}"#;
        assert!(number(body).unwrap_err().contains("store 3 did not answer"));
    }

    #[test]
    fn an_error_is_told_only_in_prometheus_own_words() {
        let body = br#"{"status":"error","errorType":"bad_data","error":"parse error"}"#;
        assert_eq!(error(body).unwrap(), "bad_data: parse error");
        assert_eq!(error(b"<html>secret</html>"), None);
        assert_eq!(error(br#"{"status":"success"}"#), None);
    }

    proptest! {
        #[test]
        fn no_body_is_more_than_an_error(body in any::<Vec<u8>>()) {
            prop_assert!(number(&body).is_err());
            prop_assert!(error(&body).is_none());
        }
    }
}
