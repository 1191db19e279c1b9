-- Frames that were never sent before, one lease after the other. Arguments: requests made before,
-- file of lines "TOKEN PRODUCTION FIRST LAST", events of a frame, bytes of a frame.

local ffi = require("ffi")
ffi.cdef [[
unsigned char *SHA256(const unsigned char *data, size_t size, unsigned char *out);
int EVP_EncodeBlock(unsigned char *out, const unsigned char *data, int size);
]]
-- wrk is linked against it; where it is not, it has to be found.
local crypto = pcall(function() return ffi.C.SHA256 end) and ffi.C or ffi.load("crypto")

local ROOM = 1024 -- for the head of the request, which lies right before the body
local leases, count, made, events, size = {}, 0, 0, 0, 0
local buffer, body, sum
local base64 = ffi.new("unsigned char[64]")

-- Layout: vmagent/wire/frames.py.
local function put32(at, value)
  for k = 3, 0, -1 do
    body[at + k] = value % 256
    value = math.floor(value / 256)
  end
end

local function put64(at, value)
  put32(at, math.floor(value / 4294967296))
  put32(at + 4, value % 4294967296)
end

function init(args)
  made, events, size = tonumber(args[1]), tonumber(args[3]), tonumber(args[4])
  for line in io.lines(args[2]) do
    local token, production, first, last = line:match("^(%S+) (%d+) (%d+) (%d+)$")
    leases[count] = {
      head = "Host: bench\r\nContent-Type: application/octet-stream\r\nAuthorization: Bearer "
        .. token .. "\r\nContent-Length: " .. size .. "\r\nContent-Digest: sha-256=:",
      path = (wrk.path:gsub("@PRODUCTION@", production)),
      first = tonumber(first), last = tonumber(last),
    }
    count = count + 1
  end
  buffer = ffi.new("unsigned char[?]", ROOM + size)
  body, sum = buffer + ROOM, ffi.new("unsigned char[32]")
  local records = 20 + 4 * events
  ffi.copy(body, "WFF1", 4)
  put32(12, events)
  put32(16, events)
  local record = math.floor((size - records) / events)
  for k = 0, events - 1 do
    put32(20 + 4 * k, k < events - 1 and record or size - records - record * (events - 1))
  end
  for k = records, size - 1 do
    body[k] = math.random(0, 255)
  end
end

function request()
  local lease = leases[made % count]
  local first = lease.first + math.floor(made / count) * events
  made = made + 1
  if first + events > lease.last then
    error("the leases are used up")
  end
  put64(4, first)
  crypto.SHA256(body, size, sum)
  crypto.EVP_EncodeBlock(base64, sum, 32)
  local head = "PUT " .. lease.path .. string.format("%d-%d", first, first + events)
    .. " HTTP/1.1\r\n" .. lease.head .. ffi.string(base64) .. ":\r\n\r\n"
  ffi.copy(buffer + ROOM - #head, head, #head)
  return ffi.string(buffer + ROOM - #head, #head + size)
end
