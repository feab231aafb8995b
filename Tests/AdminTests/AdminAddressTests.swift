import Testing

@testable import Admin

@Suite struct AdminAddressTests {
    @Test(arguments: [
        ("127.0.0.1:9187", AdminAddress.tcp(host: "127.0.0.1", port: 9187)),
        ("[::1]:0", .tcp(host: "::1", port: 0)), ("localhost:80", .tcp(host: "localhost", port: 80)),
        ("unix:/run/a.sock", .unix("/run/a.sock")), ("unix:a.sock", .unix("a.sock")),
        ("/run/a.sock", .unix("/run/a.sock")),
    ])
    func `an address is read`(_ text: String, _ address: AdminAddress) {
        #expect(AdminAddress(text) == address)
        #expect(AdminAddress(address.description) == address)
    }

    @Test(arguments: [
        "", "9187", ":9187", "localhost", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "::1:9187", "a b:1", "unix:",
        "unix:/" + String(repeating: "x", count: 107),
    ])
    func `what is none is refused`(_ text: String) {
        #expect(AdminAddress(text) == nil)
    }
}
