//! The kinds of id a contract can show.

use jiff::Timestamp;
use uuid::Uuid;

use super::{Recipe, RecipeError};

/// What an id looks like to clients. Each kind is stable for a user and can be resolved back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdKind {
    /// The serial number.
    Integer,
    /// The public UUID of version 7.
    Uuid,
    /// 24 hexadecimal digits, as MongoDB makes them.
    ObjectId,
    /// Random text.
    Text(Recipe),
}

impl IdKind {
    /// Reads `integer`, `uuid`, `objectid` or the text of a recipe.
    ///
    /// # Errors
    /// [`RecipeError`] when it is none of the three words and no recipe either.
    pub fn parse(text: &str) -> Result<IdKind, RecipeError> {
        match text {
            "integer" => Ok(IdKind::Integer),
            "uuid" => Ok(IdKind::Uuid),
            "objectid" => Ok(IdKind::ObjectId),
            _ => Recipe::parse(text).map(IdKind::Text),
        }
    }
}

/// A UUID of version 7 (RFC 9562, section 5.7): 48 bits of milliseconds since 1970 and 74 random bits. A time before
/// 1970 counts as 1970.
pub fn uuid_v7(at: Timestamp, random: [u8; 10]) -> Uuid {
    let milliseconds = u64::try_from(at.as_millisecond()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(milliseconds, &random).into_uuid()
}

/// The least UUID of version 7 that a moment can have: all of that moment or later are above it, as are those of any later
/// moment.
pub fn least_uuid_v7(at: Timestamp) -> Uuid {
    let milliseconds = u128::try_from(at.as_millisecond()).unwrap_or_default();
    Uuid::from_u128(milliseconds << 80)
}

/// A MongoDB-like ObjectId as 24 lower-case hexadecimal digits: four bytes of seconds since 1970, big-endian, and
/// eight random ones. A time before 1970 counts as 1970; the seconds start again at 0 in February 2106.
pub fn object_id(at: Timestamp, random: [u8; 8]) -> String {
    let seconds = u64::try_from(at.as_second()).unwrap_or(0) & u64::from(u32::MAX);
    format!("{seconds:08x}{:016x}", u64::from_be_bytes(random))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_three_words_are_kinds_and_the_rest_are_recipes() {
        assert_eq!(IdKind::parse("integer"), Ok(IdKind::Integer));
        assert_eq!(IdKind::parse("uuid"), Ok(IdKind::Uuid));
        assert_eq!(IdKind::parse("objectid"), Ok(IdKind::ObjectId));
        assert!(matches!(IdKind::parse("USR[A-Z0-9]{6}"), Ok(IdKind::Text(_))));
        assert_eq!(IdKind::parse("Integer").unwrap_err().at, 7);
    }

    #[test]
    fn uuids_are_those_of_the_rfc() {
        // RFC 9562, appendix A.6.
        let random = [0x0c, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f];
        let uuid = uuid_v7(at("2022-02-22T19:22:22Z"), random);
        assert_eq!(uuid.to_string(), "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
        assert_eq!(uuid.get_version_num(), 7);
        assert_eq!(uuid_v7(at("1969-01-01T00:00:00Z"), random).as_bytes()[..6], [0; 6]);
    }

    #[test]
    fn object_ids_begin_with_their_seconds() {
        let random = [0, 1, 2, 3, 4, 5, 6, 255];
        assert_eq!(object_id(at("2020-09-13T12:26:40Z"), random), "5f5e100000010203040506ff");
        assert_eq!(object_id(at("1969-01-01T00:00:00Z"), random), "0000000000010203040506ff");
        assert_eq!(object_id(at("2106-02-07T06:28:16Z"), random), "0000000000010203040506ff");
    }

    #[test]
    fn the_least_uuid_of_a_moment_is_not_above_any_of_it() {
        let (moment, before) = (at("2026-11-21T10:00:00.123Z"), at("2026-11-21T10:00:00.122Z"));
        let clock = crate::clock::Clock::system();
        for _ in 0..100 {
            assert!(least_uuid_v7(moment) <= uuid_v7(moment, clock.random()));
            assert!(least_uuid_v7(moment) > uuid_v7(before, clock.random()));
        }
    }
}
