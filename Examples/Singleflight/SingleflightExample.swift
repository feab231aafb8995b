import Singleflight

/// A thousand requests ask for three exchange rates at the same moment; the slow source is asked three times.
@main
enum SingleflightExample {
    static func main() async {
        let flights = FlightGroup<String, Double>()
        let source = RateSource()
        let currencies = ["CHF", "EUR", "JPY"]

        await withTaskGroup(of: String.self) { requests in
            for number in 0..<1000 {
                requests.addTask {
                    let currency = currencies[number % 3]
                    do {
                        let (rate, isShared) = try await flights.run(currency) { try await source.rate(of: currency) }
                        return "\(currency) \(rate)\(isShared ? ", shared" : "")"
                    } catch {
                        return "\(currency): \(error)"
                    }
                }
            }
            var answers: [String: Int] = [:]
            for await answer in requests { answers[answer, default: 0] += 1 }
            for (answer, count) in answers.sorted(by: { $0.key < $1.key }) { print("\(count) requests got \(answer)") }
        }
        print("the source was asked \(await source.queries) times")
    }
}

/// Stands for a service that takes a while.
actor RateSource {
    private(set) var queries = 0

    func rate(of currency: String) async throws -> Double {
        queries += 1
        try await Task.sleep(for: .milliseconds(200))
        return switch currency {
        case "CHF": 0.93
        case "EUR": 1
        default: 171.4
        }
    }
}
