fn main() {
    <<embed>>
}
