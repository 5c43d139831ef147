//! A sketch of what is left: two Argon2id hashes interleaved in one thread, beside one after the other.
//!
//! The compression function is written once for `N` states, in plain Rust. What it finds is a ratio: how much a thread
//! gains when the next hash fills the gaps that one leaves in the processor. It is not Vestibule's hasher.

use std::time::Instant;

use anyhow::ensure;
use blake2::{Blake2b512, Digest};
use serde_json::{Value, json};
use vestibule::password::{Engine, Params, measure as measure_engine};

/// 1 KiB.
type Block = [u64; 128];
const SLICES: usize = 4;

/// The cost: one lane, version 0x13.
#[derive(Clone, Copy)]
struct Cost {
    memory_kib: usize,
    passes: usize,
}

impl Cost {
    fn blocks(self) -> usize {
        self.memory_kib / SLICES * SLICES
    }
}

/// Hashes a second with two threads, in turn: `argon2-rust` as Vestibule uses it, and the sketch with one state and two.
pub fn measure(seconds: f64) -> anyhow::Result<Value> {
    check()?;
    let cost = Cost { memory_kib: 19_456, passes: 2 };
    let time = std::time::Duration::from_secs_f64(seconds);
    let mut rows = Vec::new();
    for _ in 0..3 {
        let engine = measure_engine(Engine::Fast, Params::default(), 2, time)?.per_second;
        let (one, two) = (rate::<1>(cost, seconds), rate::<2>(cost, seconds));
        rows.push(
            json!({ "argon2_rust": engine, "one_at_a_time": one, "two_interleaved": two, "gain": two / one }),
        );
    }
    Ok(json!({ "threads": 2, "gain": crate::section::middle(&rows, "/gain"), "rounds": rows }))
}

/// The sketch must compute what the `argon2` crate computes, in every place.
fn check() -> anyhow::Result<()> {
    let cost = Cost { memory_kib: 256, passes: 3 };
    let params = argon2::Params::new(256, 3, 1, Some(32)).map_err(anyhow::Error::msg)?;
    let theirs = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    let passwords: [&[u8]; 2] = [b"correct horse", b"battery staple"];
    let ours = hash(passwords, b"0123456789abcdef", cost, &mut memories(cost));
    for (password, ours) in passwords.into_iter().zip(ours) {
        let mut expected = [0; 32];
        theirs
            .hash_password_into(password, b"0123456789abcdef", &mut expected)
            .map_err(anyhow::Error::msg)?;
        ensure!(ours == expected, "the sketch does not compute Argon2id");
    }
    Ok(())
}

fn rate<const N: usize>(cost: Cost, seconds: f64) -> f64 {
    let work = || {
        let mut memories = memories::<N>(cost);
        let (start, mut done) = (Instant::now(), 0);
        while start.elapsed().as_secs_f64() < seconds {
            hash([b"correct horse"; N], b"0123456789abcdef", cost, &mut memories);
            done += N;
        }
        done as f64 / start.elapsed().as_secs_f64()
    };
    std::thread::scope(|scope| {
        let threads = [scope.spawn(work), scope.spawn(work)];
        threads.into_iter().map(|thread| thread.join().unwrap_or_default()).sum()
    })
}

fn memories<const N: usize>(cost: Cost) -> [Vec<Block>; N] {
    std::array::from_fn(|_| vec![[0; 128]; cost.blocks()])
}

/// `N` hashes of 32 bytes, block by block together (RFC 9106, section 3.2).
fn hash<const N: usize>(
    passwords: [&[u8]; N],
    salt: &[u8],
    cost: Cost,
    memories: &mut [Vec<Block>; N],
) -> [[u8; 32]; N] {
    for (memory, password) in memories.iter_mut().zip(passwords) {
        let start = initial(password, salt, cost);
        for (n, block) in memory.iter_mut().take(2).enumerate() {
            let mut seed = start.to_vec();
            seed.extend_from_slice(&(n as u32).to_le_bytes());
            seed.extend_from_slice(&0u32.to_le_bytes());
            *block = long_hash(&seed);
        }
    }
    let (blocks, length) = (cost.blocks(), cost.blocks() / SLICES);
    let mut addresses = [0; 128];
    for pass in 0..cost.passes {
        for slice in 0..SLICES {
            // Argon2id: the first half of the first pass does not depend on the password.
            let independent = pass == 0 && slice < SLICES / 2;
            for index in 0..length {
                if independent && index % 128 == 0 {
                    addresses = address_block(pass, slice, index / 128 + 1, cost);
                }
                if pass == 0 && slice == 0 && index < 2 {
                    continue;
                }
                let current = slice * length + index;
                let previous = (current + blocks - 1) % blocks;
                let references: [usize; N] = std::array::from_fn(|n| {
                    let random = if independent { addresses[index % 128] } else { memories[n][previous][0] };
                    reference(pass, slice, index, length, random as u32)
                });
                let mut work: [Block; N] = std::array::from_fn(|n| {
                    let (a, b) = (&memories[n][previous], &memories[n][references[n]]);
                    std::array::from_fn(|i| a[i] ^ b[i])
                });
                let before = work;
                permute(&mut work);
                for n in 0..N {
                    let target = &mut memories[n][current];
                    for i in 0..128 {
                        let old = if pass == 0 { 0 } else { target[i] };
                        target[i] = work[n][i] ^ before[n][i] ^ old;
                    }
                }
            }
        }
    }
    std::array::from_fn(|n| {
        let last: Vec<u8> = memories[n][blocks - 1].iter().flat_map(|word| word.to_le_bytes()).collect();
        short_hash(&[&32u32.to_le_bytes(), &last])
    })
}

/// Which block the next one is mixed with (section 3.4.2), in the only lane.
fn reference(pass: usize, slice: usize, index: usize, length: usize, random: u32) -> usize {
    let area = if pass == 0 { slice * length + index - 1 } else { (SLICES - 1) * length + index - 1 };
    let random = u64::from(random);
    let relative = (area as u64 * ((random * random) >> 32)) >> 32;
    let start = if pass == 0 || slice == SLICES - 1 { 0 } else { (slice + 1) * length };
    (start + area - 1 - relative as usize) % (SLICES * length)
}

/// 128 pseudo-random numbers that depend on the place alone (section 3.4.1.2).
fn address_block(pass: usize, slice: usize, counter: usize, cost: Cost) -> Block {
    let mut input = [0; 128];
    let words = [pass, 0, slice, cost.blocks(), cost.passes, 2, counter];
    for (place, word) in input.iter_mut().zip(words) {
        *place = word as u64;
    }
    compressed(compressed(input))
}

fn compressed(block: Block) -> Block {
    let mut work = [block];
    permute(&mut work);
    std::array::from_fn(|i| work[0][i] ^ block[i])
}

/// The permutation P over rows, then over columns, of `N` blocks in step (section 3.5).
fn permute<const N: usize>(blocks: &mut [Block; N]) {
    for row in 0..8 {
        round(blocks, |i| 16 * row + i);
    }
    for column in 0..8 {
        round(blocks, |i| 2 * column + i / 2 * 16 + i % 2);
    }
}

#[inline(always)]
fn round<const N: usize>(blocks: &mut [Block; N], place: impl Fn(usize) -> usize) {
    let mut v: [[u64; 16]; N] = std::array::from_fn(|n| std::array::from_fn(|i| blocks[n][place(i)]));
    for [a, b, c, d] in [
        [0, 4, 8, 12],
        [1, 5, 9, 13],
        [2, 6, 10, 14],
        [3, 7, 11, 15],
        [0, 5, 10, 15],
        [1, 6, 11, 12],
        [2, 7, 8, 13],
        [3, 4, 9, 14],
    ] {
        for v in &mut v {
            mix(v, a, b, c, d);
        }
    }
    for n in 0..N {
        for i in 0..16 {
            blocks[n][place(i)] = v[n][i];
        }
    }
}

#[inline(always)]
fn mix(v: &mut [u64; 16], a: usize, b: usize, c: usize, d: usize) {
    let add = |x: u64, y: u64| x.wrapping_add(y).wrapping_add(2 * u64::from(x as u32) * u64::from(y as u32));
    for (first, second) in [(32, 24), (16, 63)] {
        v[a] = add(v[a], v[b]);
        v[d] = (v[d] ^ v[a]).rotate_right(first);
        v[c] = add(v[c], v[d]);
        v[b] = (v[b] ^ v[c]).rotate_right(second);
    }
}

/// H0 (section 3.2): everything that goes in, with its length.
fn initial(password: &[u8], salt: &[u8], cost: Cost) -> [u8; 64] {
    let mut digest = Blake2b512::new();
    for number in [1, 32, cost.memory_kib as u32, cost.passes as u32, 0x13, 2] {
        digest.update(number.to_le_bytes());
    }
    for text in [password, salt, b"", b""] {
        digest.update((text.len() as u32).to_le_bytes());
        digest.update(text);
    }
    digest.finalize().into()
}

/// H' of 32 bytes (section 3.3).
fn short_hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut digest = blake2::Blake2b256::new();
    parts.iter().for_each(|part| digest.update(part));
    digest.finalize().into()
}

/// H' of 1024 bytes: a chain of digests, half of each.
fn long_hash(seed: &[u8]) -> Block {
    let mut bytes = Vec::with_capacity(1024);
    let mut digest = Blake2b512::new().chain_update(1024u32.to_le_bytes()).chain_update(seed).finalize();
    while bytes.len() < 1024 - 64 {
        bytes.extend_from_slice(&digest[..32]);
        digest = Blake2b512::digest(digest);
    }
    bytes.extend_from_slice(&digest);
    std::array::from_fn(|i| {
        bytes[8 * i..8 * i + 8].iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
    })
}
