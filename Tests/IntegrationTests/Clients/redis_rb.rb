# redis-rb, which Rails' cache uses: redis_rb.rb SOCKET. Says "all is well", or dies with what is not.

require "json"
require "redis"

def check(got, expected)
  raise "#{got.inspect} is not #{expected.inspect}" unless got == expected
end

redis = Redis.new(path: ARGV[0])
check JSON.parse(redis.get("account:1")), { "id" => 1, "owner" => "Ada", "note" => nil }
check redis.get("account:99"), nil
check redis.mget("owner:1", "owner:99"), ["Ada", nil]
check redis.hgetall("account:1"), { "id" => "1", "owner" => "Ada" }
check redis.pipelined { |pipeline| pipeline.get("owner:1"); pipeline.get("owner:2") }, %w[Ada Zoë]
check redis.multi { |transaction| transaction.get("owner:1"); transaction.get("owner:2") }, %w[Ada Zoë]
check redis.watch("owner:1") { redis.del("owner:1"); redis.multi { |transaction| transaction.get("owner:1") } }, nil
begin
  redis.get("broken:1")
  raise "a refused query is no error"
rescue Redis::CommandError => error
  check error.message.start_with?("QUERY "), true
end
puts "all is well"
