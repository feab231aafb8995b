@main
struct Pgsidecar {
    static func main() {}
}
