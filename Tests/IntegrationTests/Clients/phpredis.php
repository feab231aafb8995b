<?php
// phpredis: phpredis.php SOCKET. Says "all is well", or what is not.

function check($what, $got, $expected)
{
    if ($got !== $expected) {
        exit("$what: " . var_export($got, true) . "\n");
    }
}

$redis = new Redis();
$redis->pconnect($argv[1]);
$ada = ['id' => 1, 'owner' => 'Ada', 'note' => null];
check('get', json_decode($redis->get('account:1'), true), $ada);
check('no row', $redis->get('account:99'), false);
check('no row, no error', $redis->getLastError(), null);
check('hGetAll', $redis->hGetAll('account:1'), ['id' => '1', 'owner' => 'Ada']);
check('mGet', $redis->mGet(['owner:1', 'owner:99']), ['Ada', false]);
check('multi', $redis->multi()->get('owner:1')->get('owner:2')->exec(), ['Ada', 'Zoë']);
check('pipeline', $redis->multi(Redis::PIPELINE)->get('owner:1')->get('owner:2')->exec(), ['Ada', 'Zoë']);
check('type', $redis->type('account:1'), Redis::REDIS_HASH);

// An `ERR` is false, as no row is, and only getLastError() tells them apart: so a database's refusal is no `ERR`.
check('a wrong key', $redis->get('owner:Ada'), false);
check('its error', substr($redis->getLastError(), 0, 4), 'ERR ');
try {
    $redis->get('broken:1');
    exit("a refused query is no exception\n");
} catch (RedisException $error) {
    check('a refused query', substr($error->getMessage(), 0, 6), 'QUERY ');
}
echo "all is well\n";
