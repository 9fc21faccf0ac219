//! Kubernetes quantities, as far as it takes to tell whether two texts mean the same amount.

/// An amount: `digits × 10^exponent`, without trailing zeros in `digits`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Amount {
    digits: i128,
    exponent: i32,
}

/// Returns true if the API server would accept this text as a quantity.
#[must_use]
pub fn is_quantity(text: &str) -> bool {
    split(text).is_some()
}

/// Returns true if the API server stores the declared quantity as the live one.
///
/// That is the same amount, such as `0.5` and `500m`, or the amount rounded up to a thousandth, as the API server
/// does with resources (`SetDefaults_ResourceList` of Kubernetes).
#[must_use]
pub(super) fn is_stored_as(declared: &str, live: &str) -> bool {
    let (Some(declared), Some(live)) = (amount(declared), amount(live)) else { return declared == live };
    declared == live || declared.rounded_up() == live
}

/// The smallest part of a resource that the API server keeps, as a power of ten.
const MILLI: i32 = -3;

impl Amount {
    fn rounded_up(self) -> Self {
        let Self { mut digits, mut exponent } = self;
        // However small the amount was, this ends at 0 or 1.
        while exponent < MILLI && !(0..=1).contains(&digits) {
            digits = digits.div_euclid(10) + i128::from(digits.rem_euclid(10) != 0);
            exponent += 1;
        }
        Self { digits, exponent: exponent.max(MILLI) }.without_zeros()
    }

    fn without_zeros(self) -> Self {
        let Self { mut digits, mut exponent } = self;
        if digits == 0 {
            return Self { digits, exponent: 0 };
        }
        while digits % 10 == 0 {
            digits /= 10;
            exponent = exponent.saturating_add(1);
        }
        Self { digits, exponent }
    }
}

/// The parts of a quantity.
struct Parts<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
    suffix: Suffix,
}

/// The suffix of the number.
enum Suffix {
    /// A power of ten.
    Decimal(i32),
    /// A power of 1024.
    Binary(u32),
}

fn split(text: &str) -> Option<Parts<'_>> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    let (number, suffix) = rest.split_at_checked(end)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.contains('.') || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    Some(Parts { negative, whole, fraction, suffix: parse_suffix(suffix)? })
}

fn parse_suffix(suffix: &str) -> Option<Suffix> {
    Some(match suffix {
        "n" => Suffix::Decimal(-9),
        "u" => Suffix::Decimal(-6),
        "m" => Suffix::Decimal(-3),
        "" => Suffix::Decimal(0),
        "k" => Suffix::Decimal(3),
        "M" => Suffix::Decimal(6),
        "G" => Suffix::Decimal(9),
        "T" => Suffix::Decimal(12),
        "P" => Suffix::Decimal(15),
        "E" => Suffix::Decimal(18),
        "Ki" => Suffix::Binary(1),
        "Mi" => Suffix::Binary(2),
        "Gi" => Suffix::Binary(3),
        "Ti" => Suffix::Binary(4),
        "Pi" => Suffix::Binary(5),
        "Ei" => Suffix::Binary(6),
        exponent => Suffix::Decimal(exponent.strip_prefix(['e', 'E'])?.parse().ok()?),
    })
}

fn amount(text: &str) -> Option<Amount> {
    let Parts { negative, whole, fraction, suffix } = split(text)?;
    let mut digits = 0_i128;
    for c in whole.chars().chain(fraction.chars()) {
        digits = digits.checked_mul(10)?.checked_add(i128::from(c.to_digit(10)?))?;
    }
    if negative {
        digits = -digits;
    }
    let mut exponent = i32::try_from(fraction.len()).ok()?.checked_neg()?;
    match suffix {
        Suffix::Decimal(power) => exponent = exponent.checked_add(power)?,
        Suffix::Binary(power) => digits = digits.checked_mul(1024_i128.checked_pow(power)?)?,
    }
    Some(Amount { digits, exponent }.without_zeros())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_amount_is_recognized_however_it_is_written() {
        for (one, other) in [
            ("0.5", "500m"),
            ("1", "1000m"),
            ("1000m", "1.0"),
            ("1Gi", "1024Mi"),
            ("128974848", "123Mi"),
            ("1e3", "1k"),
            ("12E2", "1200"),
            (".5", "0.50"),
            ("+1", "1"),
            ("-0", "0"),
            ("0Ki", "0"),
        ] {
            assert!(is_stored_as(one, other), "{one} = {other}");
            assert!(is_stored_as(other, one), "{other} = {one}");
        }
        for (one, other) in [("1", "2"), ("1M", "1Mi"), ("1m", "1"), ("-1", "1"), ("1G", "1000Mi")] {
            assert!(!is_stored_as(one, other), "{one} ≠ {other}");
        }
    }

    #[test]
    fn a_resource_is_rounded_up_to_a_thousandth() {
        for (declared, live) in
            [("100u", "1m"), ("1n", "1m"), ("1.0005", "1001m"), ("0.9999", "1"), ("1e-2000000000", "1m")]
        {
            assert!(is_stored_as(declared, live), "{declared} as {live}");
            assert!(!is_stored_as(live, declared), "{live} as {declared}");
        }
        assert!(!is_stored_as("100u", "2m"));
        assert!(!is_stored_as("1.0005", "1"));
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for text in ["banana", "", ".", "1.2.3", "1 Gi", "1gi", "--1", "Mi", "1e", "m", "€5"] {
            assert!(!is_quantity(text), "{text}");
        }
        for text in ["1", "100m", "0.5", "5.", "1e3", "1E", "64Mi", "-1", "+.5Ki", "9999999999999999999999"] {
            assert!(is_quantity(text), "{text}");
        }
    }
}
