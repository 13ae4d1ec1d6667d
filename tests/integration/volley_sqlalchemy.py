"""A dialect of SQLAlchemy for Volley; docs/clients.md shows it.

GizmoSQL's dialect sends BEGIN and COMMIT as statements although its driver has begun a transaction already;
here the driver's own commit and rollback end it, and the next one begins by itself.

SPDX-License-Identifier: Apache-2.0
"""
from sqlalchemy.dialects import registry
from sqlalchemy_gizmosql_adbc_dialect import GizmoSQLDialect


class VolleyDialect(GizmoSQLDialect):
    name = "volley"
    supports_statement_cache = True

    def do_begin(self, connection):
        pass

    def do_commit(self, connection):
        connection.commit()

    def do_rollback(self, connection):
        connection.rollback()


registry.register("volley", __name__, "VolleyDialect")
