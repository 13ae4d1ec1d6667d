// A C++ gRPC server that answers grpc.health.v1.Health/Check: a peer of the benchmark's small calls.
//
// Takes no arguments; prints its port. A generic service on completion queues, one thread and one queue
// per core, that answers SERVING without parsing the request: the least work the library can be made to
// do. Its callback API takes about twice as much for each call.
//
// SPDX-License-Identifier: Apache-2.0
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>

#include <cstdio>
#include <memory>
#include <thread>
#include <vector>

namespace {

constexpr int CALLS_WAITING = 256;
constexpr char SERVING[] = {0x08, 0x01};

grpc::ByteBuffer Answer()
{
    grpc::Slice slice(SERVING, sizeof(SERVING));
    return grpc::ByteBuffer(&slice, 1);
}

// One call after the other: wait for it, read its message, answer, start over.
class Call {
  public:
    Call(grpc::AsyncGenericService *service, grpc::ServerCompletionQueue *queue)
        : service_(service), queue_(queue)
    {
        Wait();
    }

    void Proceed(bool fine)
    {
        if (step_ == Step::kWaiting && fine) {
            step_ = Step::kReading;
            stream_->Read(&message_, this);
        } else if (step_ == Step::kReading && fine) {
            step_ = Step::kFinishing;
            stream_->WriteAndFinish(Answer(), grpc::WriteOptions(), grpc::Status::OK, this);
        } else if (step_ == Step::kWaiting) {
            delete this;
        } else {
            Wait();
        }
    }

  private:
    enum class Step { kWaiting, kReading, kFinishing };

    void Wait()
    {
        step_ = Step::kWaiting;
        stream_.reset();
        context_ = std::make_unique<grpc::GenericServerContext>();
        stream_ = std::make_unique<grpc::GenericServerAsyncReaderWriter>(context_.get());
        service_->RequestCall(context_.get(), stream_.get(), queue_, queue_, this);
    }

    grpc::AsyncGenericService *service_;
    grpc::ServerCompletionQueue *queue_;
    std::unique_ptr<grpc::GenericServerContext> context_;
    std::unique_ptr<grpc::GenericServerAsyncReaderWriter> stream_;
    grpc::ByteBuffer message_;
    Step step_ = Step::kWaiting;
};

void Serve(grpc::AsyncGenericService *service, grpc::ServerCompletionQueue *queue)
{
    for (int i = 0; i < CALLS_WAITING; i++)
        new Call(service, queue);
    void *tag = nullptr;
    bool fine = false;
    while (queue->Next(&tag, &fine))
        static_cast<Call *>(tag)->Proceed(fine);
}

}  // namespace

int main()
{
    grpc::AsyncGenericService service;
    grpc::ServerBuilder builder;
    std::vector<std::unique_ptr<grpc::ServerCompletionQueue>> queues;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterAsyncGenericService(&service);
    for (unsigned i = 0; i < std::thread::hardware_concurrency(); i++)
        queues.push_back(builder.AddCompletionQueue());
    std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    if (!server)
        return 1;
    std::printf("%d\n", port);
    std::fflush(stdout);
    std::vector<std::thread> threads;
    for (auto &queue : queues)
        threads.emplace_back(Serve, &service, queue.get());
    server->Wait();
    return 0;
}
