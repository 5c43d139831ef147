"""The sign-up endpoint that contracts/flask.toml describes, written the way its tutorial reads: Flask and SQLite.

    PORT=5000 python app.py            PORT=0, the default, takes a free port and prints it
    PLANT=1..5 python app.py           with one difference planted, see README.md

`vestibule contract prove` is tested on it.
"""

import os
import sqlite3

from flask import Flask, abort, jsonify, request
from werkzeug.exceptions import HTTPException
from werkzeug.security import generate_password_hash
from werkzeug.serving import make_server

PLANT = os.environ.get("PLANT", "")
# Cheap enough for a test; a real application leaves the default alone.
HASH = os.environ.get("HASH_METHOD", "scrypt")

SAYS = {
    405: "This method is not allowed here.",
    413: "The request is too large.",
    415: "This content type is not accepted.",
    500: "Something went wrong.",
}
UNREADABLE = "The request could not be read."

app = Flask(__name__)
session = sqlite3.connect(":memory:", check_same_thread=False)
session.execute(
    "CREATE TABLE users (id INTEGER PRIMARY KEY, username TEXT NOT NULL UNIQUE %s, password_hash TEXT NOT NULL)"
    % ("" if PLANT == "5" else "COLLATE NOCASE")
)


@app.errorhandler(HTTPException)
def refused(error):
    return jsonify({"error": SAYS.get(error.code, error.description)}), error.code


def members():
    """The body's members; an empty body has none, and a body without a type counts as JSON."""
    if not request.get_data():
        return {}
    if not (request.mimetype == "" or request.is_json):
        abort(415)
    body = request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        abort(400, UNREADABLE)
    return body


def is_text(value):
    return isinstance(value, str) and value != ""


@app.route("/users", methods=["POST"])
def new_user():
    body = members()
    username = body.get("username")
    password = body.get("password")
    if PLANT == "4" and username is not None and not isinstance(username, str):
        username = str(username)
    if not is_text(username) or not is_text(password):
        abort(400, "missing arguments")
    password_hash = generate_password_hash(password, method=HASH)
    try:
        with session:
            session.execute("INSERT INTO users (username, password_hash) VALUES (?, ?)", (username, password_hash))
    except sqlite3.IntegrityError:
        abort(400, "user exists" if PLANT == "3" else "existing user")
    key = "user_name" if PLANT == "2" else "username"
    return jsonify({key: username}), 200 if PLANT == "1" else 201


if __name__ == "__main__":
    server = make_server("127.0.0.1", int(os.environ.get("PORT", "0")), app)
    print(f"listening on http://127.0.0.1:{server.port}", flush=True)
    server.serve_forever()
