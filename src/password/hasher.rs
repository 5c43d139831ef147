//! The one small type around both Argon2 implementations. Nothing else in the program names either crate.

use std::fmt;

use argon2::{AssociatedData, Block, ParamsBuilder};
use argon2_rust::params::{Memory, TagLen};
use zeroize::Zeroize;

use super::Params;

/// Shortest salt and shortest tag, in bytes (RFC 9106, section 3.1, and the limits of both crates).
const MIN_SALT: usize = 8;
const MIN_TAG: usize = 4;

/// Which implementation of Argon2 computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// `argon2-rust`: AVX-512, AVX2, SSE2 or NEON, chosen when the program starts.
    Fast,
    /// RustCrypto's `argon2`: about half as fast, and the one that has been looked at the longest.
    Portable,
}

/// Everything that goes into a tag besides its cost and length.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// The password.
    pub password: &'a [u8],
    /// The salt, at least 8 bytes.
    pub salt: &'a [u8],
    /// The secret value `K`; may be empty.
    pub secret: &'a [u8],
    /// The associated data `X`, at most 32 bytes; may be empty.
    pub data: &'a [u8],
}

/// Why no tag was computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HasherError {
    /// The system has no memory for it now.
    #[error("there is not enough memory for the hash")]
    OutOfMemory,
    /// The parameters, or the length of an input or of the tag, are outside what Argon2 allows.
    #[error("the inputs are outside the limits of Argon2")]
    Input,
}

/// Computes Argon2id tags of version 1.3 (RFC 9106), one at a time, in a memory that it keeps from one to the next:
/// a fresh 19 MiB would double the time in page faults. The memory is wiped after each tag.
pub struct Hasher {
    params: Params,
    memory: Kept,
}

enum Kept {
    Fast(argon2_rust::Hasher),
    Portable(Blocks),
}

impl Hasher {
    /// A hasher that keeps memory for `params`. Nothing is reserved yet.
    ///
    /// # Errors
    /// [`HasherError::Input`] for parameters that no hash can have.
    pub fn new(engine: Engine, params: Params) -> Result<Hasher, HasherError> {
        params.check_bounds().map_err(|_| HasherError::Input)?;
        let memory = match engine {
            Engine::Fast => Kept::Fast(fast(params, 32)?.hasher()),
            Engine::Portable => Kept::Portable(Blocks(Vec::new())),
        };
        Ok(Hasher { params, memory })
    }

    /// Reserves the memory now, so that the first tag does not wait for it.
    ///
    /// # Errors
    /// [`HasherError::OutOfMemory`]; a later tag tries again.
    pub fn reserve(&mut self) -> Result<(), HasherError> {
        match &mut self.memory {
            Kept::Fast(hasher) => hasher.reserve().map_err(of_fast),
            Kept::Portable(blocks) => blocks.grow(self.params.memory_kib as usize),
        }
    }

    /// Fills `tag` for a cost that need not be the hasher's own. A larger one gets a memory of its own, which is wiped
    /// and given back before this returns: no stored hash can make a worker keep more than it was made for.
    ///
    /// # Errors
    /// [`HasherError`]; `tag` is then unspecified.
    pub fn derive(&mut self, params: Params, input: Input<'_>, tag: &mut [u8]) -> Result<(), HasherError> {
        params.check_bounds().map_err(|_| HasherError::Input)?;
        if input.salt.len() < MIN_SALT || tag.len() < MIN_TAG {
            return Err(HasherError::Input);
        }
        let fits = params.memory_kib <= self.params.memory_kib;
        match &mut self.memory {
            Kept::Fast(hasher) => {
                let argon2 = fast(params, tag.len())?;
                let Input { password, salt, secret, data } = input;
                if !fits {
                    return argon2.hash_into_with_ad(password, salt, secret, data, tag).map_err(of_fast);
                }
                hasher.set_argon2(argon2);
                hasher.hash_into_with_ad(password, salt, secret, data, tag).map_err(of_fast)
            }
            Kept::Portable(blocks) if fits => derive_portable(blocks, params, input, tag),
            Kept::Portable(_) => derive_portable(&mut Blocks(Vec::new()), params, input, tag),
        }
    }
}

impl Engine {
    /// The name of the code that computes on this machine, for a person: "avx512", "neon" ...
    pub fn back_end(self) -> String {
        match self {
            Engine::Fast => argon2_rust::detected_backend().to_string(),
            Engine::Portable => "rustcrypto".to_owned(),
        }
    }
}

impl fmt::Display for Engine {
    /// The word of the configuration.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Engine::Fast => "fast",
            Engine::Portable => "portable",
        })
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher").field("params", &self.params).finish_non_exhaustive()
    }
}

fn fast(params: Params, tag_bytes: usize) -> Result<argon2_rust::Argon2, HasherError> {
    let params = argon2_rust::Params::builder()
        .memory(Memory::kib(u64::from(params.memory_kib)))
        .passes(params.iterations)
        .lanes(params.parallelism)
        .threads(1)
        .tag_len(TagLen::bytes(tag_bytes as u64))
        .build()
        .map_err(of_fast)?;
    Ok(argon2_rust::Argon2::new(argon2_rust::Algorithm::Argon2id, argon2_rust::Version::V0x13, params))
}

fn of_fast(error: argon2_rust::Error) -> HasherError {
    match error {
        argon2_rust::Error::MemoryAllocationError => HasherError::OutOfMemory,
        _ => HasherError::Input,
    }
}

fn derive_portable(
    blocks: &mut Blocks,
    params: Params,
    input: Input<'_>,
    tag: &mut [u8],
) -> Result<(), HasherError> {
    let params = ParamsBuilder::new()
        .m_cost(params.memory_kib)
        .t_cost(params.iterations)
        .p_cost(params.parallelism)
        .output_len(tag.len())
        .data(AssociatedData::new(input.data).map_err(|_| HasherError::Input)?)
        .build()
        .map_err(|_| HasherError::Input)?;
    let (algorithm, version) = (argon2::Algorithm::Argon2id, argon2::Version::V0x13);
    blocks.grow(params.block_count())?;
    let argon2 = argon2::Argon2::new_with_secret(input.secret, algorithm, version, params)
        .map_err(|_| HasherError::Input)?;
    let result = argon2.hash_password_into_with_memory(input.password, input.salt, tag, &mut blocks.0);
    blocks.0.iter_mut().zeroize();
    result.map_err(|_| HasherError::Input)
}

/// The memory of the portable engine, which does not bring its own. Also wiped when a panic unwinds through it.
struct Blocks(Vec<Block>);

impl Blocks {
    fn grow(&mut self, blocks: usize) -> Result<(), HasherError> {
        let missing = blocks.saturating_sub(self.0.len());
        self.0.try_reserve_exact(missing).map_err(|_| HasherError::OutOfMemory)?;
        self.0.resize(self.0.len() + missing, Block::new());
        Ok(())
    }
}

impl Drop for Blocks {
    fn drop(&mut self) {
        self.0.iter_mut().zeroize();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn derive(hasher: &mut Hasher, params: Params, input: Input<'_>, length: usize) -> Vec<u8> {
        let mut tag = vec![0; length];
        hasher.derive(params, input, &mut tag).unwrap();
        tag
    }

    fn kept_blocks(hasher: &Hasher) -> usize {
        match &hasher.memory {
            Kept::Fast(hasher) => hasher.reserved_blocks(),
            Kept::Portable(blocks) => blocks.0.len(),
        }
    }

    const PLAIN: Input<'_> = Input { password: b"password", salt: b"somesalt", secret: b"", data: b"" };

    #[test]
    fn memory_is_reserved_once_and_does_not_grow_with_what_is_verified() {
        let own = Params { memory_kib: 64, iterations: 1, parallelism: 1 };
        for engine in [Engine::Fast, Engine::Portable] {
            let mut hasher = Hasher::new(engine, own).unwrap();
            assert_eq!(kept_blocks(&hasher), 0, "{engine}");
            hasher.reserve().unwrap();
            for memory_kib in [64, 8, 256, 64] {
                derive(&mut hasher, Params { memory_kib, ..own }, PLAIN, 32);
                assert_eq!(kept_blocks(&hasher), 64, "{engine} after {memory_kib} KiB");
            }
        }
    }

    #[test]
    fn the_portable_engine_wipes_its_memory() {
        let mut hasher = Hasher::new(Engine::Portable, Params::weak_for_tests()).unwrap();
        derive(&mut hasher, Params::weak_for_tests(), PLAIN, 32);
        let Kept::Portable(blocks) = &hasher.memory else { panic!("another engine") };
        assert!(blocks.0.iter().all(|block| block.as_ref().iter().all(|&word| word == 0)));
    }

    #[test]
    fn impossible_inputs_are_errors_and_reserve_nothing() {
        let own = Params::weak_for_tests();
        for engine in [Engine::Fast, Engine::Portable] {
            let mut hasher = Hasher::new(engine, own).unwrap();
            let mut derive = |params, input, length| hasher.derive(params, input, &mut vec![0; length]);
            let huge = Params { memory_kib: u32::MAX, ..own };
            assert_eq!(derive(huge, PLAIN, 32), Err(HasherError::Input), "{engine}");
            assert_eq!(
                derive(own, Input { salt: b"short", ..PLAIN }, 32),
                Err(HasherError::Input),
                "{engine}"
            );
            assert_eq!(derive(own, PLAIN, 3), Err(HasherError::Input), "{engine}");
            assert_eq!(kept_blocks(&hasher), 0, "{engine}");
            assert!(Hasher::new(engine, Params { iterations: 0, ..own }).is_err());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]
        #[test]
        fn both_engines_agree(
            password in prop::collection::vec(any::<u8>(), 0..300),
            salt in prop::collection::vec(any::<u8>(), 8..64),
            secret in prop::collection::vec(any::<u8>(), 0..40),
            data in prop::collection::vec(any::<u8>(), 0..=32),
            (memory_kib, iterations, parallelism) in (8_u32..600, 1_u32..5, 1_u32..5),
            own_kib in 8_u32..600,
            length in 4_usize..130,
        ) {
            let params = Params { memory_kib: memory_kib.max(8 * parallelism), iterations, parallelism };
            let own = Params { memory_kib: own_kib, iterations: 1, parallelism: 1 };
            let input = Input { password: &password, salt: &salt, secret: &secret, data: &data };
            let mut engines = [Engine::Fast, Engine::Portable].map(|engine| Hasher::new(engine, own).unwrap());
            // Twice, so that the second tag is computed in used memory.
            for _ in 0..2 {
                let [fast, portable] = engines.each_mut().map(|hasher| derive(hasher, params, input, length));
                prop_assert_eq!(fast, portable);
            }
        }
    }
}
