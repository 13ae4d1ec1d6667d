/*
 * jobs_support.c — makes what jobs_support.h tells of. SPDX-License-Identifier: Apache-2.0
 */
#include "jobs_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

void put_twelve(struct fixture *fixture)
{
    for (unsigned i = 1; i <= 12; i++) {
        struct job_record job = fixture_job(fixture, i);
        job.engine = i % 4 == 0 ? STR("clickhouse") : STR("duckdb");
        job.door = (enum job_door)(i % 3);
        job.state = (enum job_state)(i % JOB_STATE_COUNT);
        job.owner = i % 2 == 0 ? STR("ann") : STR_EMPTY;
        job.tags = i <= 3 ? STR("[\"a\",\"b\"]") : i <= 6 ? STR("{\"team\":\"x\"}") : STR_EMPTY;
        job.batch_id = i > 9 ? STR("b1") : STR_EMPTY;
        fixture_put(fixture, &job);
    }
}
