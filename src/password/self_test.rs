//! The known answer that an engine must give before it may hash a password.

use super::{Engine, Hasher, HasherError, Input, Params};

/// The test vector for Argon2id of RFC 9106, section 5.3.
const TAG: [u8; 32] = [
    0x0d, 0x64, 0x0d, 0xf5, 0x8d, 0x78, 0x76, 0x6c, 0x08, 0xc0, 0x37, 0xa3, 0x4a, 0x8b, 0x53, 0xc9, //
    0xd0, 0x1e, 0xf0, 0x45, 0x2d, 0x75, 0xb6, 0x5e, 0xb5, 0x25, 0x20, 0xe9, 0x6b, 0x01, 0xe6, 0x59,
];

/// The engine computes something, but not Argon2id. Every account made with it would be locked out by the next
/// correct one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelfTestError {
    /// The fast engine is at fault, and there is another.
    #[error(
        "the fast password engine failed its self-test (RFC 9106, section 5.3) on this processor; \
         set passwords.engine = \"portable\""
    )]
    Fast,
    /// The portable engine is at fault, so something below it is.
    #[error(
        "the portable password engine failed its self-test (RFC 9106, section 5.3): this program or this machine \
         computes wrongly, and no password may be hashed on it"
    )]
    Portable,
}

/// Computes the vector with `engine`. Takes some microseconds.
pub(super) fn self_test(engine: Engine) -> Result<(), SelfTestError> {
    self_test_against(engine, &TAG)
}

fn self_test_against(engine: Engine, expected: &[u8; 32]) -> Result<(), SelfTestError> {
    if compute(engine).is_ok_and(|tag| tag == *expected) {
        return Ok(());
    }
    Err(match engine {
        Engine::Fast => SelfTestError::Fast,
        Engine::Portable => SelfTestError::Portable,
    })
}

fn compute(engine: Engine) -> Result<[u8; 32], HasherError> {
    let params = Params { memory_kib: 32, iterations: 3, parallelism: 4 };
    let input = Input { password: &[1; 32], salt: &[2; 16], secret: &[3; 8], data: &[4; 12] };
    let mut tag = [0; 32];
    Hasher::new(engine, params)?.derive(params, input, &mut tag)?;
    Ok(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_engines_compute_the_vector_of_the_rfc() {
        assert_eq!(self_test(Engine::Fast), Ok(()));
        assert_eq!(self_test(Engine::Portable), Ok(()));
    }

    #[test]
    fn one_wrong_bit_fails_and_the_error_says_what_to_do() {
        let mut wrong = TAG;
        wrong[31] ^= 1;
        let error = self_test_against(Engine::Fast, &wrong).unwrap_err();
        assert!(error.to_string().contains("passwords.engine = \"portable\""));
        assert_eq!(self_test_against(Engine::Portable, &wrong), Err(SelfTestError::Portable));
    }
}
