import random, time, flight_sql, json
def test_f(start_server):
    s = start_server()
    rnd = random.Random(5)
    words = ["SELECT","FROM","é","日本","x","'a'","'日","\"q","\n","\r\n","\t",";","--c\n","/*","*/","(",")","CAST('é' AS INT)","error('\nLINE 3: a\n   ^')","error('LINE 1: x...\n ^')","error('Candidate bindings: \"a\"')","error('Did you mean \"zz\"?')","nocol","PIVOT","ON","USING","sum(v)","BEGIN","COMMIT","CREATE TEMP TABLE t AS SELECT 1 i","INSERT INTO t VALUES ('é')","$1","?","1","+","batch('x')","🦆"*30,"a.b.c.d","LIMIT 5","WHERE","=","EXPLAIN ANALYZE","nosuch.tab","memory.main.nosuch","DROP TABLE","PRAGMA","SET","error('Catalog Error: Table with name zzz does not exist! Did you mean \"')", "CAST('x'||chr(10)||'LINE 1: y'||chr(10)||'^' AS INT)"]
    codes = {}
    end = time.time() + 25
    with s.flight() as c:
        while time.time() < end:
            sql = " ".join(rnd.choice(words) for _ in range(rnd.randint(1, 9)))
            if rnd.random() < .3: sql = "SELECT " + sql
            if rnd.random() < .3: sql = "SELECT 1; " + sql
            try: flight_sql.query(c, sql); k = "ok"
            except Exception as e:
                k = type(e).__name__
                if "nternal" in k or "Unavail" in k or "UNKNOWN" in str(e): print(repr(sql), str(e)[:300])
            codes[k] = codes.get(k, 0) + 1
            r = s.request("POST", "/v1/query?format=json", sql.encode())
            codes[r.status] = codes.get(r.status, 0) + 1
            if r.status >= 500: print(r.status, repr(sql), r.text[:300])
            if r.status >= 400: json.loads(r.text)
    print(codes)
