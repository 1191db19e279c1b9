-- Random hosts ask for work or show signs of life. Arguments: requests made before, file of lines
-- "TOKEN BODY"; in a body @@@ASK@@@ stands for an id that no other request has.

local heads, bodies, count, made = {}, {}, 0, 0

function init(args)
  math.randomseed(os.time())
  made = tonumber(args[1])
  for line in io.lines(args[2]) do
    local token, body = line:match("^(%S+) (.*)$")
    count = count + 1
    heads[count] = wrk.method .. " " .. wrk.path .. " HTTP/1.1\r\nHost: bench\r\n"
      .. "Content-Type: application/json\r\nAuthorization: Bearer " .. token
      .. "\r\nContent-Length: " .. (#body + (body:find("@@@ASK@@@") and 6 or 0)) .. "\r\n\r\n"
    local first, last = body:find("@@@ASK@@@")
    bodies[count] = first and { body:sub(1, first - 1), body:sub(last + 1) } or { body }
  end
end

wrk.method = "POST"

function request()
  local k = math.random(count)
  local body = bodies[k]
  if #body == 1 then
    return heads[k] .. body[1]
  end
  made = made + 1
  return heads[k] .. body[1] .. string.format("ask%012d", made) .. body[2]
end
