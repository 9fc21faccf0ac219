//! 128 bits that stand for a state. With n states the chance that any two share them is below n² / 2^129: for a
//! billion states, less than one in 10^20.

use std::hash::{Hash, Hasher};

const KEYS: [u64; 4] =
    [0x9e37_79b9_7f4a_7c15, 0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb, 0xd6e8_feb8_6659_fd93];

/// Collects the bytes first: states are many small fields.
struct Bytes {
    bytes: [u8; 1024],
    len: usize,
}

impl Hasher for Bytes {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    #[inline]
    fn write_u8(&mut self, byte: u8) {
        self.bytes[self.len] = byte;
        self.len += 1;
    }

    /// Lengths, all of them small.
    #[inline]
    fn write_usize(&mut self, value: usize) {
        self.write_u8(value.to_le_bytes()[0]);
    }

    /// Discriminants, all of them small.
    #[inline]
    fn write_isize(&mut self, value: isize) {
        self.write_u8(value.to_le_bytes()[0]);
    }

    fn finish(&self) -> u64 {
        0
    }
}

fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    let [low, high] = [product & u128::from(u64::MAX), product >> 64];
    u64::try_from(low ^ high).unwrap_or(0)
}

/// The fingerprint of a value.
pub(crate) fn fingerprint(value: &impl Hash) -> u128 {
    let mut all = Bytes { bytes: [0; 1024], len: 0 };
    value.hash(&mut all);
    let mut state = [KEYS[0] ^ all.len as u64, KEYS[1]];
    for chunk in all.bytes[..all.len.next_multiple_of(8)].chunks_exact(8) {
        let word = u64::from_le_bytes(chunk.try_into().unwrap_or_default());
        state[0] = mix(state[0] ^ word, KEYS[2]) ^ state[1].rotate_left(29);
        state[1] = mix(state[1] ^ word.rotate_left(32), KEYS[3]).wrapping_add(state[0]);
    }
    (u128::from(mix(state[0] ^ KEYS[3], KEYS[0])) << 64) | u128::from(mix(state[1] ^ state[0], KEYS[1]))
}
