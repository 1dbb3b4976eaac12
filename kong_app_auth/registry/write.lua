-- The only way in which anything of a region is changed. One run is one atomic step.
-- KEYS: lease, meta, changes, then the tables. ARGV: operation, token, lease in ms, schema version, then by operation.
-- Answers {'OK', seq} or {reason}. What can fail comes before what changes: an error half-way would leave half a batch.
local lease, meta, changes = KEYS[1], KEYS[2], KEYS[3]
local operation, token, lease_ms, schema = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])

local holder = redis.call('GET', lease)
if operation == 'acquire' then
  if holder and holder ~= token then return {'NO_LEASE'} end
  redis.call('SET', lease, token, 'PX', lease_ms)
  return {'OK', '0'}
end
if holder ~= token then return {'NO_LEASE'} end
if operation == 'release' then
  redis.call('DEL', lease)
  return {'OK', '0'}
end

local found = redis.call('HMGET', meta, 'schema', 'epoch', 'seq', 'tip', 'complete')
if found[1] and (tonumber(found[1]) or 0) > schema then return {'NEWER_SCHEMA'} end
local time = redis.call('TIME')
local now = string.format('%.0f', tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000))

if operation == 'begin' then
  -- The numbers go on, so that the ids of a stream which somebody is waiting on do not begin again below.
  local seq = string.format('%.0f', (tonumber(found[3]) or 0) + 1)
  redis.call('UNLINK', unpack(KEYS, 2))
  redis.call('HSET', meta, 'schema', ARGV[4], 'epoch', ARGV[5], 'seq', seq, 'tip', ARGV[6], 'complete', '0',
    'written_at', now)
  redis.call('PEXPIRE', lease, lease_ms)
  return {'OK', seq}
end

if found[2] ~= ARGV[5] or found[3] ~= ARGV[6] or found[4] ~= ARGV[7] then return {'WRONG_POSITION'} end
local epoch, seq, tip, complete, max_stream = ARGV[5], ARGV[6], ARGV[7], found[5] == '1', ARGV[8]

local function append(id, ...)
  local function add()
    return redis.pcall('XADD', changes, 'MAXLEN', '~', max_stream, id, 'v', ARGV[4], 'epoch', epoch, 'seq', seq,
      'tip', tip, 'at', now, unpack(arg))
  end
  local added = add()
  if type(added) == 'table' and added.err then
    -- The stream is not the one of this meta (it was restored alone). Followers miss it and take a fresh copy.
    redis.call('UNLINK', changes)
    added = add()
    if type(added) == 'table' and added.err then error(added.err) end
  end
end

if operation == 'heartbeat' or operation == 'complete' then
  if complete then
    append(seq .. '-*')
  elseif operation == 'complete' then
    append(seq .. '-1') -- the first of its stream: `-0` is a batch's, and whoever has that batch reads on behind it
    redis.call('HSET', meta, 'complete', '1', 'written_at', now)
  end
  redis.call('PEXPIRE', lease, lease_ms)
  return {'OK', seq}
end

if operation ~= 'write' then return redis.error_reply('ERR unknown operation') end
local prev = tip
seq, tip = string.format('%.0f', tonumber(seq) + 1), ARGV[9]
-- Nobody follows an epoch that is not complete: a first load of millions need not go through the stream.
if complete then append(seq .. '-0', 'prev', prev, 'edits', ARGV[10]) end
local at = 11
for index = 4, #KEYS do
  local deleted = tonumber(ARGV[at])
  if deleted > 0 then redis.call('HDEL', KEYS[index], unpack(ARGV, at + 1, at + deleted)) end
  at = at + 1 + deleted
  local put = 2 * tonumber(ARGV[at])
  if put > 0 then redis.call('HSET', KEYS[index], unpack(ARGV, at + 1, at + put)) end
  at = at + 1 + put
end
redis.call('HSET', meta, 'schema', ARGV[4], 'seq', seq, 'tip', tip, 'written_at', now)
redis.call('PEXPIRE', lease, lease_ms)
return {'OK', seq}
