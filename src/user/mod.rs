//! What a sign-up means, as values that cannot be wrong: each is made by `parse` from what was written, holds its
//! text in a private field and is normalised once. Nothing here does I/O, reads the clock or knows a wire format.
//!
//! - [`Email`], [`Username`], [`Password`]: the three that have rules of their own.
//! - [`Submitted`] becomes [`NewUser`], or the list of every [`Problem`] at once.
//! - [`User`] is what the store gives back; [`Key`] is one unique claim of a user.
//! - [`IdKind`] and [`Recipe`]: the shapes that an id or an opaque token may have.

mod common;
mod email;
mod fold;
mod id;
mod meaning;
mod new_user;
mod password;
mod recipe;
mod recipe_parser;
mod stored;
mod username;

pub use common::{Weakness, weakness};
pub use email::{Email, EmailError};
pub use id::{IdKind, least_uuid_v7, object_id, uuid_v7};
pub use meaning::{Meaning, UnknownMeaning};
pub use new_user::{Extra, NewUser, Problem, Submitted};
pub use password::{Password, PasswordError};
pub use recipe::Recipe;
pub use recipe_parser::{RecipeError, RecipeFault};
pub use stored::{Key, User};
pub use username::{Username, UsernameError};
