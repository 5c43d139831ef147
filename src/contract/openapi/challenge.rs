//! Where challenges for proofs of work are handed out.

use super::described::{Described, id};
use super::{request, responses};
use serde_json::{Value as Json, json};

/// `GET PATH/challenge`.
pub(super) fn operation(described: &Described<'_>) -> Json {
    let endpoint = described.endpoint;
    let hash = json!({ "type": "string", "pattern": "^[0-9a-f]{64}$" });
    json!({
        "operationId": id("challenge", endpoint.name),
        "summary": "A challenge for a proof of work, as ALTCHA's widget solves it.",
        "description": "Find the number from 0 to `maxnumber` for which SHA-256 of `salt` and the number, in decimal \
                        digits, is `challenge`. The proof is Base64 of a JSON object with `algorithm`, `challenge`, \
                        `number`, `salt` and `signature`. It counts once.",
        "tags": [endpoint.name],
        "parameters": request::queries(endpoint.contract),
        "responses": {
            "200": {
                "description": "A new challenge.",
                "content": { "application/json": { "schema": {
                    "type": "object",
                    "properties": {
                        "algorithm": { "const": "SHA-256" },
                        "challenge": hash,
                        "maxnumber": { "type": "integer", "minimum": 1 },
                        "salt": { "type": "string", "description": "It says until when a proof is taken: `expires`, in Unix time." },
                        "signature": hash,
                    },
                    "required": ["algorithm", "challenge", "maxnumber", "salt", "signature"],
                } } },
            },
            "431": responses::head_too_large(),
        },
    })
}
