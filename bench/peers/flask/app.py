"""A sign-up endpoint as a careful Flask developer writes it: validate, hash, let the unique index decide, answer 201.

    DATABASE=users.db HASH=argon2|default gunicorn --workers 2 --no-control-socket --bind 127.0.0.1:5000 app:app

"default" is Werkzeug's own generate_password_hash (scrypt); "argon2" is argon2-cffi.
"""

import os
import re
import sqlite3

from argon2 import PasswordHasher, Type
from flask import Flask, g, jsonify, request
from werkzeug.security import generate_password_hash

DATABASE = os.environ.get("DATABASE", "users.db")
ADDRESS = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")

# 19 MiB, two passes, one lane: the least that OWASP recommends.
argon2 = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1, type=Type.ID)
hash_password = argon2.hash if os.environ.get("HASH", "argon2") == "argon2" else generate_password_hash

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 64 * 1024


def connect():
    db = sqlite3.connect(DATABASE, timeout=10)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    return db


def db():
    if "db" not in g:
        g.db = connect()
    return g.db


@app.teardown_appcontext
def close(_error):
    if "db" in g:
        g.pop("db").close()


with connect() as setup:
    setup.execute(
        "CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE COLLATE NOCASE,"
        " name TEXT NOT NULL, password TEXT NOT NULL, created_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP)"
    )
setup.close()


def problems(body):
    email, password, name = body.get("email"), body.get("password"), body.get("name")
    if not isinstance(email, str) or len(email) > 254 or not ADDRESS.fullmatch(email):
        yield {"field": "email", "message": "must be a valid e-mail address"}
    if not isinstance(password, str) or len(password) < 8 or len(password.encode()) > 1024:
        yield {"field": "password", "message": "must be at least 8 characters long"}
    if not isinstance(name, str) or not 1 <= len(name) <= 255:
        yield {"field": "name", "message": "is required"}


def taken():
    return jsonify(errors=[{"field": "email", "message": "is taken"}]), 409


@app.post("/users")
def register():
    body = request.get_json()
    if not isinstance(body, dict):
        return jsonify(errors=[{"message": "must be an object"}]), 400
    errors = list(problems(body))
    if errors:
        return jsonify(errors=errors), 400
    email, name = body["email"], body["name"]
    # A taken address costs one look-up and no hash; the index decides all the same.
    if db().execute("SELECT 1 FROM users WHERE email = ?", (email,)).fetchone():
        return taken()
    password = hash_password(body["password"])
    try:
        with db() as transaction:
            row = transaction.execute(
                "INSERT INTO users (email, name, password) VALUES (?, ?, ?) RETURNING id, created_at",
                (email, name, password),
            ).fetchone()
    except sqlite3.IntegrityError:
        return taken()
    return jsonify(id=row[0], email=email, name=name, created_at=row[1]), 201


@app.get("/healthz")
def health():
    return "ok"
