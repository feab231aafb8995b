// redigo: go run redigo.go SOCKET. Says "all is well", or what is not.
package main

import (
	"log"
	"os"
	"reflect"

	"github.com/gomodule/redigo/redis"
)

func check(got, expected interface{}, err error) {
	if err != nil || !reflect.DeepEqual(got, expected) {
		log.Fatalf("%v (%v) is not %v", got, err, expected)
	}
}

func main() {
	pool := &redis.Pool{Dial: func() (redis.Conn, error) { return redis.Dial("unix", os.Args[1]) }}
	connection := pool.Get()
	defer connection.Close()

	row, err := redis.String(connection.Do("GET", "account:1"))
	check(row, `{"id":1,"owner":"Ada","note":null}`, err)
	_, err = redis.String(connection.Do("GET", "account:99"))
	check(err == redis.ErrNil, true, nil)
	columns, err := redis.StringMap(connection.Do("HGETALL", "account:1"))
	check(columns, map[string]string{"id": "1", "owner": "Ada"}, err)
	connection.Send("MULTI")
	connection.Send("GET", "owner:1")
	connection.Send("GET", "owner:2")
	owners, err := redis.Strings(connection.Do("EXEC"))
	check(owners, []string{"Ada", "Zoë"}, err)
	os.Stdout.WriteString("all is well\n")
}
